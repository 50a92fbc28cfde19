"""Damaged videos end in pictures or in one line of ours. `make fuzz` runs the same for longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.damage import DRAWN, Drawn, damaged
from tests.fuzz.videos import READERS


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    case = READERS[name](tmp_path)
    assert all(case.take(good) for good in case.seeds)

    @settings(
        max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(DRAWN)
    def try_one(drawn: Drawn) -> None:
        case.take(damaged(case.seeds, drawn))

    try_one()
