"""Read a reference file: official weights, inputs, outputs in one .npz (docs/method.md §3.14).

The file is not trusted: only plain floating-point arrays are read, the size of each is known from
its header and bounded before memory is allocated, and nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...formats.npy import read_header
from ...records.arrays import Float32
from ...records.gaussians import SH_COEFFICIENTS, Gaussians
from ...records.weights import NetworkWeights
from ...system.archives import ZIP_ERRORS
from ...system.files import open_regular
from ..architecture import architecture_named, kind_of, tensor_names
from ..checks import check_weights
from ..names import PREFIX, agent_count, has_static_heads, static_names

MAX_BYTES = 1 << 28  # of a file, and of its arrays together; the official ones hold 14 MB

# Outputs of the frames (B, N, ...), then of the coarse heads (1, N, ...): values per Gaussian.
# The raw ones of the frame must be there.
RAW_OUTPUTS: dict[str, tuple[int, ...]] = {
    "means3D": (3,),
    "scales_raw": (3,),
    "rotations_raw": (4,),
    "opacity_raw": (1,),
    "shs": (SH_COEFFICIENTS, 3),
}
FRAME_OUTPUTS = RAW_OUTPUTS | {"scales_act": (3,), "rotations_act": (4,), "opacity_act": (1,)}
STATIC_OUTPUTS: dict[str, tuple[int, ...]] = {
    "static_points": (3,),
    "static_scales": (3,),
    "static_rotations": (4,),
    "static_opacity": (1,),
    "static_shs": (SH_COEFFICIENTS, 3),
}


@dataclass(frozen=True, eq=False)
class ReferenceFile:
    """windows (B, 8, D, W), eyes (B,) float64, poses (B, 12); outputs: name without "out/" ->
    array as the file has it."""

    weights: NetworkWeights
    gaussians: Gaussians
    windows: Float32
    eyes: NDArray[np.float64]
    poses: Float32
    outputs: dict[str, Float32]


def read_reference(path: Path) -> ReferenceFile:
    """Raises InputError (CheckpointError for the weights) with the name that is wrong."""
    file, _ = open_regular(path, InputError, MAX_BYTES)
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except ZIP_ERRORS:
            raise InputError(f"{path} is not a complete .npz; copy or export it again") from None
        return _read(_Arrays(archive, path))


def _read(arrays: _Arrays) -> ReferenceFile:
    weights = _weights(arrays)
    xyz = arrays.read("in/xyz", (None, 3))
    n = len(xyz)
    gaussians = Gaussians(
        xyz,
        arrays.read("in/scaling", (n, 3)),
        arrays.read("in/rotation", (n, 4)),
        arrays.read("in/opacity", (n, 1))[:, 0],
        arrays.read("in/shs", (n, SH_COEFFICIENTS, 3)),
    )
    check_weights(weights, gaussians)
    windows = arrays.read("in/audio_features", (None, None, None, None))
    batch = len(windows)
    eyes = arrays.read_float64("in/eye_features", (batch, 1))[:, 0]
    poses = arrays.read("in/cam_features", (batch, 12))
    shapes: dict[str, tuple[int | None, ...]] = {
        **{name: (batch, n, *shape) for name, shape in FRAME_OUTPUTS.items()},
        **{name: (1, n, *shape) for name, shape in STATIC_OUTPUTS.items()},
        "attention": (batch, 1, n, 4),
    }
    outputs = {}
    for key in [name for name in arrays.names if name.startswith("out/")]:
        name = key.removeprefix("out/")
        if name not in shapes:
            raise InputError(f"{arrays.path}: {key} is not an output of the network")
        outputs[name] = arrays.read(key, shapes[name])
    for name in RAW_OUTPUTS:
        if name not in outputs:
            raise InputError(f"{arrays.path}: out/{name} is missing; export the file again")
    if STATIC_OUTPUTS.keys() & outputs.keys() and not has_static_heads(weights.arrays):
        missing = next(name for name in static_names() if name not in weights.arrays)
        raise InputError(f"{arrays.path}: sd/{PREFIX}{missing} is missing, out/static_* needs it")
    return ReferenceFile(weights, gaussians, windows, eyes, poses, outputs)


def _weights(arrays: _Arrays) -> NetworkWeights:
    prefix = f"sd/{PREFIX}"
    stored = {n.removeprefix(prefix): n for n in arrays.names if n.startswith(prefix)}
    kind = kind_of(stored)
    if kind is None:
        raise InputError(
            f"{arrays.path} has no network of a known kind (no {prefix}audio_mlp.net.0...)"
        )
    wanted = {*tensor_names(architecture_named(kind, stored)), *static_names()}
    wanted |= {name for name in stored if name.endswith("attention_proj_layer.weight")}
    read = {name: arrays.read(stored[name], None) for name in stored if name in wanted}
    return NetworkWeights(kind, read, agents=agent_count(read))


class _Arrays:
    """The arrays of an open .npz, one at a time, within MAX_BYTES altogether."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.path = path
        self._archive = archive
        self._left = MAX_BYTES
        self.names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]

    def read(self, name: str, shape: tuple[int | None, ...] | None) -> Float32:
        """float32, of `shape` (None: any size), all finite."""
        return self._checked(name, shape).astype(np.float32)

    def read_float64(self, name: str, shape: tuple[int | None, ...] | None) -> NDArray[np.float64]:
        return self._checked(name, shape).astype(np.float64)

    def _checked(self, name: str, shape: tuple[int | None, ...] | None) -> NDArray[np.floating]:
        if name not in self.names:
            raise InputError(f"{self.path}: {name} is missing; export the file again")
        array = self._load(name)
        if shape is not None and not (
            array.ndim == len(shape)
            and all(s > 0 and w in (None, s) for s, w in zip(array.shape, shape, strict=True))
        ):
            wanted = " x ".join("any" if size is None else str(size) for size in shape)
            raise InputError(f"{self.path}: {name} has shape {array.shape}, expected {wanted}")
        # Values beyond float32's range would become infinite below.
        if not (np.abs(array) <= np.finfo(np.float32).max).all():
            raise InputError(f"{self.path}: {name} holds values that are not finite")
        return array

    def _load(self, name: str) -> NDArray[np.floating]:
        method = self._archive.getinfo(f"{name}.npy").compress_type
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{self.path}: {name} is packed by method {method}, not as .npz is")
        try:
            with self._archive.open(f"{name}.npy") as file:
                shape, fortran, dtype = self._header(name, file)
                size = prod(shape) * dtype.itemsize
                self._left -= size
                if self._left < 0:
                    raise InputError(
                        f"{self.path}: {name} of shape {shape} is too large: more than "
                        f"{MAX_BYTES >> 20} MiB in all"
                    )
                data = file.read(size)
                if len(data) < size or file.read(1):
                    raise InputError(f"{self.path}: {name} is not as long as its header says")
        except ZIP_ERRORS:
            raise InputError(f"{self.path}: {name} cannot be unpacked; copy it again") from None
        return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")

    def _header(
        self, name: str, file: IO[bytes]
    ) -> tuple[tuple[int, ...], bool, np.dtype[np.floating]]:
        try:
            shape, fortran, dtype = read_header(file)
        except ValueError:
            raise InputError(f"{self.path}: {name} has no valid .npy header") from None
        if dtype.kind != "f" or dtype.itemsize > 8:
            kind = "a pickled object" if dtype.hasobject else str(dtype)
            raise InputError(f"{self.path}: {name} is {kind}, expected float16, 32 or 64")
        if any(size < 0 for size in shape):
            raise InputError(f"{self.path}: {name} has no valid shape: {shape}")
        return shape, fortran, dtype
