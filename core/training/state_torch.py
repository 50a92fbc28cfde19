"""A training on disk, so that it can stop at any moment: one safetensors file, written atomically.

Metadata: "format" = "egs-training", "version", "place" (JSON: stage, step, seconds, ...), "config".
Tensors by section: head/NAME, optimiser/NAME/exp_avg, average/NAME, density/NAME.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..avatar.safetensors import parse_json, read_tensors, write_tensors
from ..errors import AvatarFileError, InputError
from .config import TrainConfig

FILE = "state.safetensors"
FORMAT, VERSION = "egs-training", "1"


@dataclass(frozen=True)
class Place:
    """Where a training stands: the next step of a stage, seconds spent in each stage so far,
    harmonics' degree, steps of the average."""

    stage: str
    step: int
    seconds: Mapping[str, float]
    degree: int
    averaged: int


def save_state(
    path: Path, config: TrainConfig, place: Place, sections: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """OutputError where it cannot be written; the old file then stays."""
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
    }
    write_tensors(path, tensors, metadata)


def load_state(
    path: Path, config: TrainConfig, device: str
) -> tuple[Place, dict[str, dict[str, Tensor]]]:
    """InputError where the file is damaged, or belongs to a training with other settings."""
    try:
        tensors, metadata, _ = read_tensors(path)
        if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
            raise AvatarFileError("it is no state of a training of this version")
        place = parse_json(metadata.get("place", ""))
        settings = parse_json(metadata.get("config", ""))
        known = Place(
            str(place["stage"]),
            int(place["step"]),
            {str(k): float(v) for k, v in place["seconds"].items()},
            int(place["degree"]),
            int(place["averaged"]),
        )
    except (AvatarFileError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be gone on with ({error}); start again without --resume"
        ) from None
    _compare(path, settings, config)
    sections: dict[str, dict[str, Tensor]] = {}
    for name, array in tensors.items():
        section, _, rest = name.partition("/")
        sections.setdefault(section, {})[rest] = torch.from_numpy(array.copy()).to(device)
    return known, sections


def _compare(path: Path, settings: Any, config: TrainConfig) -> None:
    """Time and previews may change; what the numbers depend on may not."""
    free = {"minutes", "preview_every"}
    now = json.loads(json.dumps(asdict(config)))
    for key, value in now.items():
        if key not in free and (not isinstance(settings, dict) or settings.get(key) != value):
            was = settings.get(key) if isinstance(settings, dict) else None
            raise InputError(
                f"{path} was trained with {key} = {was!r}, not {value!r}; give the same options, "
                "or start again without --resume"
            )
