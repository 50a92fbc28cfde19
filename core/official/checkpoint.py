"""Output folders of the official EGSTalker and GaussianTalker trainers (docs/method.md §4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..formats.ply import read_ply
from ..formats.torch_file import array_of, load_torch
from ..network.architecture import architecture_named, kind_of, tensor_names
from ..network.checks import check_weights
from ..network.names import PREFIX, agent_count
from ..records.gaussians import Gaussians
from ..records.weights import NetworkWeights
from ..system.files import reason
from .cfg_args import KEPT, check_supported, frozen_of, read_cfg_args, whole

MAX_WEIGHTS = 2**30  # bytes of deformation.pth; a real one has 9 MB
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
    """The largest fine iteration of a folder, or the requested one; `folder` may also be an
    `iteration_N` folder. CheckpointError and PlyError name what is wrong; MissingPackageError if
    torch is not installed."""
    folder = Path(folder)
    where, number = find_iteration(folder, iteration)
    root = where.parent.parent
    settings = read_cfg_args(root / "cfg_args")
    notes = []
    if settings is None:
        notes.append("no cfg_args: the shipped configuration is assumed")
        settings = {}
    check_supported(settings, root / "cfg_args")
    gaussians = read_ply(_member(where, "point_cloud.ply"))
    network = read_weights(_member(where, "deformation.pth"), settings)
    provenance = {
        "source": f"official {network.kind} training",
        "iteration": number,
        "training": {key: settings[key] for key in KEPT if isinstance(settings.get(key), int)},
    }
    return Checkpoint(gaussians, network, number, provenance, tuple(notes))


def find_iteration(folder: Path, iteration: int | None) -> tuple[Path, int]:
    """(folder of the iteration, its number)."""
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder; give the training's output folder or a .ply"
        )
    own = folder.resolve().name
    if _COARSE.fullmatch(own):
        raise CheckpointError(
            f"{folder} is of the coarse stage, which has no speech; give an iteration_N folder"
        )
    if match := _FINE.fullmatch(own):
        if iteration not in (None, int(match[1])):
            raise CheckpointError(f"iteration {iteration} was asked for, but {folder} is another")
        return folder.resolve(), int(match[1])
    clouds = folder / "point_cloud"
    if not clouds.is_dir():
        raise CheckpointError(
            f"{folder} has no folder 'point_cloud'; give the trainer's output folder (model_path)"
        )
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


def _member(where: Path, name: str) -> Path:
    path = where / name
    if not path.exists():
        raise CheckpointError(f"{path} is missing; copy the whole iteration folder")
    return path


def read_weights(path: Path, settings: Mapping[str, Any]) -> NetworkWeights:
    """The network of a deformation.pth, with the settings of cfg_args."""
    content = load_torch(path, CheckpointError, MAX_WEIGHTS)
    table = {name.removeprefix(PREFIX): value for name, value in content.items()}
    kind = kind_of(table)
    if kind is None:
        raise CheckpointError(
            f"{path} is from neither EGSTalker nor GaussianTalker; give a checkpoint of one of them"
        )
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
