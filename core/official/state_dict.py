"""The tensors of a state dict, whatever a trainer wrapped it in, under the model's own names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..formats.torch_file import is_table
from ..network.names import PREFIX

WRAPPERS = (
    "state_dict", "model_state_dict", "model_state", "model", "network", "net", "deformation",
    "deform", "params", "module",
)  # fmt: skip
DEPTH = 4  # of wrappers inside each other
# torch.nn.DataParallel and torch.compile put these before the names of what they wrap.
_INSERTED = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod)\.")
_OWN = re.compile(rf"^(?:\w+\.)*?{re.escape(PREFIX)}")


def state_of(content: Any, depth: int = DEPTH) -> Mapping[str, Any] | None:
    """The innermost table of names of what torch.save was given: the state itself, in a dictionary
    under one of WRAPPERS, or in a tuple or list with the iteration. None if there is none."""
    if isinstance(content, (tuple, list)):
        tables = [item for item in content[:DEPTH] if is_table(item) and item]
        return state_of(tables[0], depth - 1) if len(tables) == 1 and depth else None
    if not is_table(content):
        return None
    if depth:
        for name in WRAPPERS:
            inner = state_of(content.get(name), depth - 1)
            if inner:
                return inner
    return dict(content)


def plain_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """The same tensors without the prefixes of wrappers and of the official model."""
    table: dict[str, Any] = {}
    for name, value in state.items():
        table.setdefault(_OWN.sub("", _INSERTED.sub("", name)), value)
    return table
