"""cfg_args, the official trainers' settings file: one line `Namespace(name=value, ...)`.

Its syntax tree is read value by value; nothing in it is ever run (docs/method.md §4)."""

from __future__ import annotations

import ast
import warnings
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
USED = {*FREEZE_FLAGS, *UNSUPPORTED, *KEPT, "agent_num", "n_head"}


def read_cfg_args(path: Path) -> dict[str, Any] | None:
    """The settings, None if there is no such file. CheckpointError for anything that is not
    `Namespace(...)`, or if a setting that is used is not a plain value. Others, such as paths,
    may be calls and names (`WindowsPath(...)`, `inf`): those settings are left out."""
    if not path.exists():
        return None
    data = read_bounded(path, CheckpointError, MAX_BYTES)
    call = _parsed(data.decode("utf-8-sig", errors="replace").strip())
    if call is None or not isinstance(call.func, ast.Name) or call.func.id != "Namespace":
        raise CheckpointError(
            f"{path} is not one line 'Namespace(name=value, ...)'; copy it again or remove it"
        )
    settings = {}
    for keyword in call.keywords:
        try:
            settings[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            if keyword.arg in USED:
                raise CheckpointError(
                    f"{path}: {keyword.arg} is not a plain value (a call or a name is never run); "
                    "correct it or remove it from the file"
                ) from None
    return settings


def _parsed(text: str) -> ast.Call | None:
    """The call with named arguments alone that the text is. Windows paths may have been written
    with single backslashes, which are no Python then."""
    for written in (text, text.replace("\\", "\\\\")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about backslashes
                call = ast.parse(written, mode="eval").body
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if not isinstance(call, ast.Call) or call.args:
            return None
        return call if all(keyword.arg for keyword in call.keywords) else None
    return None


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
    if value is not None and (type(value) is not int or value < 1 or value > 100_000):
        raise CheckpointError(f"cfg_args: {key}={value!r} must be a whole number from 1 to 100000")
    return value
