"""Output folders of the official EGSTalker and GaussianTalker trainers (docs/method.md §4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..formats.ply import read_ply
from ..formats.torch_file import array_of, load_content
from ..network.architecture import architecture_named, kind_of, tensor_names
from ..network.checks import check_weights
from ..network.names import agent_count
from ..records.gaussians import Gaussians
from ..records.weights import NetworkWeights
from ..system.files import reason
from .cfg_args import KEPT, check_supported, frozen_of, read_cfg_args, whole
from .other_trainers import named_state, other_trainer
from .state_dict import plain_names, state_of

MAX_WEIGHTS = 2**30  # bytes of deformation.pth; a real one has 9 MB
CLOUDS, CLOUD, WEIGHTS = "point_cloud", "point_cloud.ply", "deformation.pth"
NO_TRAINING = "has no folder 'point_cloud'; give the trainer's output folder (model_path)"
NEITHER = "is from neither EGSTalker nor GaussianTalker; give a checkpoint of one of them"
_FINE = re.compile(r"iteration_(\d{1,12})")
_COARSE = re.compile(r"coarse_iteration_(\d{1,12})")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of an output folder. provenance: JSON data for the avatar's header. notes: what
    was assumed, one line each."""

    gaussians: Gaussians
    network: NetworkWeights
    iteration: int
    provenance: Mapping[str, Any]
    notes: tuple[str, ...]


def load_checkpoint(folder: str | Path, iteration: int | None = None) -> Checkpoint:
    """The largest fine iteration of a folder, or the requested one; `folder` may be any that
    `find_iteration` accepts. CheckpointError and PlyError name what is wrong;
    MissingPackageError if torch is not installed."""
    where, number = find_iteration(Path(folder), iteration)
    root = _root_of(where)
    if not (where / WEIGHTS).exists():
        found = other_trainer(root)
        raise CheckpointError(f"{root} {found}" if found else _without_weights(where))
    settings = read_cfg_args(root / "cfg_args")
    notes = []
    if settings is None:
        notes.append("no cfg_args: the shipped configuration is assumed")
        settings = {}
    check_supported(settings, root / "cfg_args")
    gaussians = read_ply(_member(where, CLOUD))
    network = read_weights(_member(where, WEIGHTS), settings)
    provenance = {
        "source": f"official {network.kind} training",
        **({"iteration": number} if number else {}),
        "training": {key: settings[key] for key in KEPT if isinstance(settings.get(key), int)},
    }
    return Checkpoint(gaussians, network, number, provenance, tuple(notes))


def find_iteration(folder: Path, iteration: int | None) -> tuple[Path, int]:
    """(folder of the iteration, its number, 0 if the folder's name has none). `folder` may be the
    training's output folder, its point_cloud, one iteration, or the deformation.pth in it."""
    if folder.is_file() and folder.name == WEIGHTS:
        folder = folder.parent
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder; give the training's output folder or a .ply"
        )
    own = folder.resolve().name
    if _COARSE.fullmatch(own):
        raise CheckpointError(
            f"{folder} is of the coarse stage, which has no speech; give an iteration_N folder"
        )
    match = _FINE.fullmatch(own)
    if match or ((folder / WEIGHTS).is_file() and (folder / CLOUD).is_file()):
        number = int(match[1]) if match else 0
        if iteration not in (None, number):
            raise CheckpointError(f"iteration {iteration} was asked for, but {folder} is another")
        return folder.resolve(), number
    clouds = folder / CLOUDS
    if own == CLOUDS and not clouds.is_dir():
        clouds = folder
    if not clouds.is_dir():
        raise CheckpointError(f"{folder} {other_trainer(folder) or NO_TRAINING}")
    try:
        names = [entry.name for entry in clouds.iterdir() if entry.is_dir()]
    except OSError as error:
        raise CheckpointError(f"{clouds} cannot be read: {reason(error)}") from None
    found = {int(match[1]): name for name in names if (match := _FINE.fullmatch(name))}
    if not found:
        coarse = any(_COARSE.fullmatch(name) for name in names)
        raise CheckpointError(
            f"{clouds} contains coarse iterations only; let the training reach its fine stage"
            if coarse
            else f"{clouds} contains no folder iteration_N; let the training save one"
        )
    if iteration is None:
        iteration = max(found)
    if iteration not in found:
        available = ", ".join(str(n) for n in sorted(found))
        raise CheckpointError(f"iteration {iteration} is not in {clouds}; there are: {available}")
    return clouds / found[iteration], iteration


def _root_of(where: Path) -> Path:
    """The training's output folder, or the iteration's own if it was copied alone."""
    return where if (where / "cfg_args").is_file() else where.parent.parent


def _without_weights(where: Path) -> str:
    cloud = where / CLOUD
    still = (
        f"; if it is of 3D or 2D Gaussian Splatting, which has none, give {cloud} for a still head"
        if cloud.is_file()
        else ""
    )
    return f"{where / WEIGHTS} is missing; copy the whole iteration folder{still}"


def _member(where: Path, name: str) -> Path:
    path = where / name
    if not path.exists():
        raise CheckpointError(f"{path} is missing; copy the whole iteration folder")
    return path


def read_weights(path: Path, settings: Mapping[str, Any]) -> NetworkWeights:
    """The network of a deformation.pth, with the settings of cfg_args. Its state may be wrapped,
    see `state_dict.py`, and of any floating-point type."""
    content = load_content(path, CheckpointError, MAX_WEIGHTS)
    state = state_of(content)
    if state is None:
        raise CheckpointError(
            f"{path} holds no table of named tensors; give the file that training wrote"
        )
    table = plain_names(state)
    kind = kind_of(table)
    if kind is None:
        raise CheckpointError(f"{path} {named_state(state) or NEITHER}")
    names = tensor_names(architecture_named(kind, table))
    arrays = {name: array for name in names if (array := array_of(table, name)) is not None}
    agents = whole(settings, "agent_num", agent_count(table))
    heads = whole(settings, "n_head", None)
    weights = NetworkWeights(kind, arrays, frozen_of(settings), agents or 1, heads)
    try:
        check_weights(weights)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    return weights
