"""Damaged files end in a result or in one line of ours. `make fuzz` runs the same for longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.damage import DRAWN, Drawn, damaged
from tests.fuzz.found import found_inputs
from tests.fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
def test_a_good_file_is_read(tmp_path: Path, name: str) -> None:
    case = READERS[name](tmp_path)
    assert all(case.take(seed) for seed in case.seeds[:1])


# audioread leaves a file that it cannot read to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestWarning")
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    case = READERS[name](tmp_path)

    @settings(
        max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(DRAWN)
    def try_one(drawn: Drawn) -> None:
        case.take(damaged(case.seeds, drawn))

    try_one()


@pytest.mark.parametrize(("name", "path"), found_inputs(list(READERS)))
def test_what_once_broke_a_reader_is_refused(tmp_path: Path, name: str, path: Path) -> None:
    READERS[name](tmp_path).take(path.read_bytes())
