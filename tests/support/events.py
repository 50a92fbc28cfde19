"""Reads the output of a command with --json as the table in docs/formats.md describes it."""

from __future__ import annotations

import json
from typing import Any

REQUIRED: dict[str, set[str]] = {  # event -> keys that it always has
    "start": {"what"},
    "progress": {"what", "done", "total"},
    "note": {"text"},
    "saved": {"what", "path"},
    "done": set(),
    "failed": {"message", "code"},
}


def events_of(out: str) -> list[dict[str, Any]]:
    """Every line of stdout. It must be an event with its keys; `done` or `failed` comes last."""
    events = [dict(json.loads(line, parse_constant=_refuse)) for line in out.splitlines()]
    for event in events:
        assert event["event"] in REQUIRED, event
        assert REQUIRED[event["event"]] <= set(event), event
        if event["event"] == "progress":
            assert event["what"] and isinstance(event["done"], int) and event["done"] >= 0
            assert isinstance(event["total"], int) and event["total"] >= 0
    ends = [index for index, event in enumerate(events) if event["event"] in ("done", "failed")]
    assert ends == [len(events) - 1], events
    return events


def result_of(out: str) -> dict[str, Any]:
    """The last event, which must be `done`."""
    last = events_of(out)[-1]
    assert last["event"] == "done", last
    return last


def _refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is no JSON")
