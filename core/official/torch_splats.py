"""Gaussians without a network in the checkpoint files (.pt, .pth, .ckpt) of splat trainers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..formats.torch_file import array_of, is_table, load_content
from ..network.architecture import kind_of
from ..records.arrays import Float32
from ..records.gaussians import SH_COEFFICIENTS, Gaussians
from .other_trainers import named_state
from .state_dict import plain_names, state_of

SUFFIXES = (".pt", ".pth", ".ckpt")
MAX_FILE = 8 * 2**30  # bytes; with the optimiser's state three times the Gaussians
TABLES = ("splats", "gauss_params", "pipeline")
# Names in Gaussians -> those of gsplat and nerfstudio.
NAMES = {
    "means": ("means",),
    "log_scales": ("scales",),
    "quats": ("quats",),
    "opacity_logits": ("opacities",),
    "dc": ("sh0", "features_dc"),
    "rest": ("shN", "features_rest"),
}
# The same as places in the tuple that 3D Gaussian Splatting saves next to the iteration.
PLACES = {"means": 1, "dc": 2, "rest": 3, "log_scales": 4, "quats": 5, "opacity_logits": 6}
NEXT = "give the training's output folder or a .ply"


def read_torch_splats(path: Path) -> Gaussians:
    """The Gaussians of a checkpoint of gsplat, nerfstudio (splatfacto) or 3D Gaussian Splatting.
    CheckpointError names what else it is. MissingPackageError without torch."""
    content = load_content(path, CheckpointError, MAX_FILE)
    tensors = _saved_tuple(content, path) or _table(content)
    if tensors is None:
        state = plain_names(state_of(content) or {})
        what = named_state(state)
        if kind_of(state) is not None:
            what = "is a network without its Gaussians; give the folder that it is in"
        raise CheckpointError(f"{path} {what or f'holds no Gaussians that are known; {NEXT}'}")
    return _gaussians(tensors, path)


def _saved_tuple(content: Any, path: Path) -> dict[str, Any] | None:
    """Of `torch.save((state, iteration), path)`, where the state is a tuple."""
    if not isinstance(content, (tuple, list)) or len(content) != 2:
        return None
    saved = content[0]
    if not isinstance(saved, (tuple, list)) or len(saved) < 8:
        return None
    if any(is_table(item) and item for item in saved[:4]):
        raise CheckpointError(
            f"{path} is a state to resume a training from, with a network in it; {NEXT}, in which "
            "point_cloud/iteration_N holds the result"
        )
    return {name: saved[place] for name, place in PLACES.items()}


def _table(content: Any) -> dict[str, Any] | None:
    table = content
    for name in TABLES:
        if is_table(table) and is_table(table.get(name)):
            table = table[name]
    if not is_table(table):
        return None
    # nerfstudio writes "_model.gauss_params.means".
    last = {name.rpartition(".")[2]: value for name, value in table.items()}
    tensors = {ours: last[name] for ours, names in NAMES.items() for name in names if name in last}
    return tensors if NAMES.keys() - tensors.keys() <= {"rest"} else None


def _gaussians(tensors: Mapping[str, Any], path: Path) -> Gaussians:
    arrays = {name: array_of(tensors, name) for name in NAMES}
    means = arrays["means"]
    count = len(means) if means is not None and means.ndim == 2 else 0
    if not count:
        raise CheckpointError(f"{path} holds no Gaussians; {NEXT}")

    def shaped(name: str, width: int) -> Float32:
        array = arrays[name]
        if array is not None and name == "log_scales" and array.shape == (count, 2):
            raise CheckpointError(
                f"{path} is of 2D Gaussian Splatting (surfels); only 3D Gaussians can be drawn"
            )
        if array is None or array.size != count * width:
            shape = "missing" if array is None else " x ".join(map(str, array.shape))
            raise CheckpointError(f"{path}: {name} is {shape}, expected {count} x {width}; {NEXT}")
        return array.reshape(count, width)

    sh = np.zeros((count, SH_COEFFICIENTS, 3), np.float32)
    sh[:, 0] = shaped("dc", 3)
    rest = arrays["rest"]
    if rest is not None and rest.size:
        coefficients = rest.shape[1] if rest.ndim == 3 else 0
        if coefficients not in (3, 8, 15):
            raise CheckpointError(
                f"{path}: the harmonics have {coefficients} coefficients, expected 3, 8 or 15; "
                f"{NEXT}"
            )
        sh[:, 1 : 1 + coefficients] = shaped("rest", 3 * coefficients).reshape(count, -1, 3)
    return Gaussians(
        means=shaped("means", 3),
        log_scales=shaped("log_scales", 3),
        quats=shaped("quats", 4),
        opacity_logits=shaped("opacity_logits", 1)[:, 0],
        sh=sh,
    )
