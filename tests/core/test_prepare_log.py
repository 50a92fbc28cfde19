"""The log of a preparation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.errors import OutputError
from core.prepare.log import Log


def test_every_step_shows_how_much_time_is_left(tmp_path: Path) -> None:
    now = [0.0]
    log = Log(tmp_path / "log", clock=lambda: now[0])
    log.describe("talk.mp4 with 2 processes")
    assert not (tmp_path / "log").exists()  # a run without work writes nothing
    log.begin("landmarks")
    for done in range(0, 61):
        log.progress(done, 60)
        now[0] += 0.5
    log.note("rather dark")
    log.end()
    log.begin("pose")
    log.fail("stopped; run it again")
    lines = (tmp_path / "log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line) for line in lines)
    assert [line[21:] for line in lines] == [
        "talk.mp4 with 2 processes",
        "landmarks begins",
        "landmarks 20/60, 0:20 left",
        "landmarks 40/60, 0:10 left",
        "landmarks 60/60",
        "note: rather dark",
        "landmarks took 0:31",
        "pose begins",
        "pose ends: stopped; run it again",
    ]


def test_a_log_that_cannot_be_written_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        Log(tmp_path / "gone" / "log").begin("look")
