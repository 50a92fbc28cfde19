"""cfg_args, the official trainers' settings file: one line `Namespace(name=value, ...)`.

Its syntax tree is read value by value; nothing in it is ever run (docs/method.md §4)."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..system.files import read_bounded

MAX_BYTES = 2**20  # a real one has 4 kB

# Official flag -> attribute of NetworkWeights.frozen.
FREEZE_FLAGS = {
    "no_dx": "means",
    "no_ds": "scales",
    "no_dr": "quats",
    "no_do": "opacities",
    "no_dshs": "sh",
}
# Variants of the official graph that no shipped configuration uses; they are not supported.
UNSUPPORTED = ("no_grid", "empty_voxel", "static_mlp", "apply_rotation")
# Settings that go into the avatar's provenance; paths and user names do not.
KEPT = ("iterations", "coarse_iterations", "batch_size", "sh_degree")


def read_cfg_args(path: Path) -> dict[str, Any] | None:
    """The settings, None if there is no such file. CheckpointError for anything that is not
    `Namespace(...)` of plain values."""
    if not path.exists():
        return None
    data = read_bounded(path, CheckpointError, MAX_BYTES)
    try:
        call = ast.parse(data.decode().strip(), mode="eval").body
        named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if not named or call.func.id != "Namespace" or call.args:  # type: ignore[attr-defined]
            raise ValueError
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise CheckpointError(
            f"{path} is not one line 'Namespace(name=value, ...)'; copy it again or remove it"
        ) from None
    settings = {}
    for keyword in call.keywords:  # type: ignore[attr-defined]
        try:
            settings[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            raise CheckpointError(
                f"{path}: {keyword.arg} is not a plain value (a call or a name is never run); "
                "remove it from the file"
            ) from None
    return settings


def frozen_of(settings: Mapping[str, Any]) -> frozenset[str]:
    """The attributes that training left canonical."""
    return frozenset(name for flag, name in FREEZE_FLAGS.items() if settings.get(flag, False))


def check_supported(settings: Mapping[str, Any], path: Path) -> None:
    for flag in UNSUPPORTED:
        if settings.get(flag, False):
            raise CheckpointError(
                f"{path}: trained with {flag}=True, a variant that is not supported; "
                "train with the shipped configuration"
            )


def whole(settings: Mapping[str, Any], key: str, default: int | None) -> int | None:
    """A positive whole number of the settings."""
    value = settings.get(key, default)
    if value is not None and (not isinstance(value, int) or value < 1 or value > 100_000):
        raise CheckpointError(f"cfg_args: {key}={value!r} must be a whole number from 1 to 100000")
    return value
