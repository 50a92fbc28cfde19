"""Weights of LPIPS (Zhang et al. 2018; AlexNet) from a .npz that the user names. None are shipped.

The file holds conv{0..4}.weight (O, I, k, k), conv{0..4}.bias (O,) and lin{0..4} (O,), float32.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingPackageError
from ..formats.npy import read_arrays
from ..records.arrays import Float32
from ..system.archives import ZIP_ERRORS
from ..system.files import open_regular

Arrays = dict[str, Float32]

# Outputs, inputs, size of each convolution of AlexNet.
LAYERS = ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3))
MAX_BYTES = 64 * 2**20
ADVICE = 'make the .npz with the command under "LPIPS" in docs/training.md and give it with --lpips'


def find_weights(file: Path | None = None) -> Arrays:
    """The weights in `file`, of AlexNet's shapes and finite. InputError if the file holds
    anything else, MissingPackageError if none is given."""
    if file is None:
        raise MissingPackageError(f"LPIPS has no weights; {ADVICE}")
    arrays = _read(file)
    for number, (out, inputs, size) in enumerate(LAYERS):
        for name, shape in (
            (f"conv{number}.weight", (out, inputs, size, size)),
            (f"conv{number}.bias", (out,)),
            (f"lin{number}", (out,)),
        ):
            array = arrays.get(name)
            if array is None or array.shape != shape or not np.isfinite(array).all():
                raise InputError(f"{file} has no {name} of shape {shape} as LPIPS needs; {ADVICE}")
    return arrays


def _read(path: Path) -> Arrays:
    """Every array of a .npz, as float32. Nothing is unpickled, and no more than MAX_BYTES are
    unpacked."""
    file, _ = open_regular(path, InputError, MAX_BYTES)
    try:
        with file:
            with zipfile.ZipFile(file) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > MAX_BYTES:
                raise InputError(f"{path} unpacks to {unpacked / 1e6:.0f} MB; {ADVICE}")
            file.seek(0)
            return {name: _real(array) for name, array in read_arrays(file).items()}
    except ZIP_ERRORS:
        raise InputError(
            f"{path} is not a .npz table of arrays (a .pth or .ckpt has to be converted); {ADVICE}"
        ) from None


def _real(array: NDArray[Any]) -> Float32:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{array.dtype} is no number")
    return array.astype(np.float32)
