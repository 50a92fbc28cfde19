"""Paths of the machine that submitted a job, as paths of the machine that runs it.

The file is the one that Open Job Description gives to each session (Session.PathMappingRulesFile):

    {"version": "pathmapping-1.0", "path_mapping_rules": [{"source_path_format": "WINDOWS",
        "source_path": "Z:\\show", "destination_path": "/mnt/show"}]}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import ArgumentError
from ..system.files import read_bounded

MAX_BYTES = 1_000_000
FORMATS: dict[str, type[PurePath]] = {"POSIX": PurePosixPath, "WINDOWS": PureWindowsPath}


@dataclass(frozen=True)
class Rule:
    """source: a folder or file of the submitting machine, in that system's notation. destination:
    the same on this one."""

    source: PurePath
    destination: str

    def apply(self, path: str, here: type[PurePath] = PurePath) -> str | None:
        """The path here, None if it is not inside `source`. Windows takes upper and lower case, and
        both slashes, as the same. here: the notation of this machine."""
        try:
            rest = type(self.source)(path).relative_to(self.source)
        except ValueError:
            return None
        return str(here(self.destination, *rest.parts))


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of the file, longest source first. No rules is fine. ArgumentError."""
    data = read_bounded(path, ArgumentError, MAX_BYTES)
    try:
        document = json.loads(data.decode())
        found = document.get("path_mapping_rules", [])
        rules = [_rule(entry) for entry in found]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArgumentError(
            f"{path} holds no path mapping rules ({error}); give the file of the session"
        ) from None
    return tuple(sorted(rules, key=lambda rule: -len(rule.source.parts)))


def _rule(entry: dict[str, Any]) -> Rule:
    source, destination = entry["source_path"], entry["destination_path"]
    kind = entry["source_path_format"]
    if kind not in FORMATS:
        raise ValueError(f"format {kind!r} is none of {', '.join(FORMATS)}")
    if not (isinstance(source, str) and isinstance(destination, str) and source and destination):
        raise ValueError("a path is no text")
    return Rule(FORMATS[kind](source), destination)


def mapped(path: str, rules: tuple[Rule, ...]) -> str:
    """The full path by the first rule that holds it, unchanged if there is none. `//server/share`
    is a share of a network here, not a path relative to the .blend."""
    return next((here for rule in rules if (here := rule.apply(path)) is not None), path)
