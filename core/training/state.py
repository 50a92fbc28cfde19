"""The state of a training on disk, from which it can resume: one safetensors file.

Metadata: "format" = "egs-training", "version", "place" (JSON: stage, step, seconds, ...), "config",
"sha256" of the tensors (absent in older files), because hours of training depend on them.
Tensors by section: head/NAME, optimiser/NAME/exp_avg, average/NAME, density/NAME.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import AvatarFileError, InputError
from ..formats.safetensors import parse_json, read_tensors, write_tensors
from ..network.names import POSE_MEAN, POSE_SCALE
from .config import TrainConfig
from .optimiser import MOMENTS
from .schedule import STATIC

FORMAT, VERSION = "egs-training", "1"

# Settings that older states do not have, where they were trained otherwise than today's default.
_EARLIER = {"hash": False, "mouth": False}

Sections = dict[str, dict[str, Tensor]]
Shapes = dict[str, tuple[int, ...]]

# Not trained, but computed from the dataset's points and poses: they identify the dataset.
_OF_DATASET = tuple(f"network.{name}" for name in ("tri_plane.grid.aabb", POSE_MEAN, POSE_SCALE))


@dataclass(frozen=True)
class Place:
    """Progress of a training: the stage and its next step, seconds spent on each activity,
    degree of the spherical harmonics, steps in the moving average."""

    stage: str
    step: int
    seconds: Mapping[str, float]
    degree: int
    averaged: int


def save_state(
    path: Path, config: TrainConfig, place: Place, sections: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Write the state atomically. OutputError if it cannot be written; the old file then stays."""
    tensors = {
        f"{section}/{name}": value.detach().cpu().numpy()
        for section, values in sections.items()
        for name, value in values.items()
    }
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "place": json.dumps(asdict(place)),
        "config": json.dumps(asdict(config)),
        "sha256": _digest(tensors),
    }
    write_tensors(path, tensors, metadata)


def load_state(path: Path, config: TrainConfig, device: str) -> tuple[Place, Sections]:
    """The state in a file, on `device`. InputError if it is damaged or of a training with other
    settings."""
    try:
        tensors, metadata, _ = read_tensors(path)
        if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
            raise AvatarFileError("it is not a training state of this version")
        place = parse_json(metadata.get("place", ""))
        settings = parse_json(metadata.get("config", ""))
        if metadata.get("sha256") not in (None, _digest(tensors)):
            raise AvatarFileError("its checksum is wrong; it is damaged")
        known = Place(
            str(place["stage"]),
            int(place["step"]),
            {str(k): float(v) for k, v in place["seconds"].items()},
            int(place["degree"]),
            int(place["averaged"]),
        )
    except (AvatarFileError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _useless(path, str(error)) from None
    _compare(path, settings, config)
    sections: Sections = {}
    for name, array in tensors.items():
        section, _, rest = name.partition("/")
        sections.setdefault(section, {})[rest] = torch.from_numpy(array.copy()).to(device)
    return known, sections


def _digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def _compare(path: Path, settings: Any, config: TrainConfig) -> None:
    """Duration and previews may change; settings that the result depends on may not. A setting that
    an older state does not have had today's default, or that of _EARLIER."""
    if not isinstance(settings, dict):
        raise _useless(path, "it has no settings")
    free = {"minutes", "preview_every"}
    earlier = {**asdict(TrainConfig()), **_EARLIER}
    now, before = (json.loads(json.dumps(values)) for values in (asdict(config), earlier))
    for key, value in now.items():
        was = settings.get(key, before[key])
        if isinstance(value, dict) and isinstance(was, dict):
            was = {**before[key], **was}
        if key not in free and was != value:
            raise InputError(
                f"{path} was trained with {key} = {was!r}, not {value!r}; give the same options, "
                "or start anew without --resume"
            )


def check_state(
    path: Path, place: Place, sections: Sections, head: nn.Module, stages: Collection[str]
) -> None:
    """InputError unless the state fits this new head and one of these stages."""
    numbers = (place.step, place.averaged, *place.seconds.values())
    if place.stage not in stages or not 0 <= place.degree <= 3:
        raise _useless(path, f"stage {place.stage!r}, degree {place.degree} are unknown here")
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise _useless(path, "its position in the training is invalid")
    parameters = dict(head.named_parameters())
    means = sections.get("head", {}).get("canonical.means")
    if means is None or means.ndim != 2 or not len(means):
        raise _useless(path, "it has no Gaussians")
    count = len(means)
    shapes = {
        name: (count, *value.shape[1:]) if name.startswith("canonical.") else tuple(value.shape)
        for name, value in parameters.items()
        if place.stage == STATIC or not name.startswith("static.")
    }
    moments = {
        f"{name}/{key}": shape if key in MOMENTS else ()
        for name, shape in shapes.items()
        for key in (*MOMENTS, "step")
    }
    _fit(path, "head", sections["head"], shapes)
    for section, values in sections.items():
        if section == "average":
            _fit(path, section, values, shapes)
        elif section == "density":
            _fit(path, section, values, {"pull": (count,), "seen": (count,)})
        elif section == "optimiser":
            _fit(path, section, values, {k: v for k, v in moments.items() if k in values})
        elif section != "head":
            raise _useless(path, f"section {section!r} is unknown")
    for name in _OF_DATASET:
        if name in parameters:
            old, new = sections["head"][name], parameters[name].detach()
            if not torch.allclose(old, new, rtol=1e-3, atol=1e-4):
                raise InputError(
                    f"{path} was trained on other frames or points; give the same DATASET, --rows "
                    "and --init, or start anew without --resume"
                )


def _fit(path: Path, section: str, values: Mapping[str, Tensor], shapes: Shapes) -> None:
    for name in values.keys() ^ shapes.keys():
        raise _useless(path, f"{section} {name[:80]!r} is missing or unknown")
    for name, shape in shapes.items():
        value = values[name]
        if tuple(value.shape) != shape or value.dtype != torch.float32:
            raise _useless(path, f"{section} {name!r} has shape {tuple(value.shape)}, not {shape}")
        if not torch.isfinite(value).all():
            raise _useless(path, f"{section} {name!r} is not finite")


def _useless(path: Path, why: str) -> InputError:
    return InputError(f"{path} cannot be resumed ({why}); start anew without --resume")
