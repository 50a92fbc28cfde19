"""A worker that can also turn videos into datasets: its packages, and the Python they need."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from egstalker.core.errors import WorkerError
from egstalker.egstalker_blender.setup_worker import operators, plan, pythons, session

from tests.support.blender import ROOT


def test_the_list_is_that_of_the_project() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert set(plan.PREPARE) == set(groups["prepare"])


@pytest.mark.parametrize("choice", [item[0] for item in plan.CHOICES])
def test_commands_with_videos(choice: str, tmp_path: Path) -> None:
    less = plan.requirements(choice, "linux")
    more = plan.requirements(choice, "linux", videos=True)
    other_file = str(plan.CONSTRAINTS), str(plan.CONSTRAINTS_VIDEOS)
    assert set(more) ^ set(less) == {*plan.PREPARE, *other_file} - {*plan.WORKER}
    steps = plan.steps_for(choice, Path("base"), tmp_path / "new", videos=True)
    assert set(plan.PREPARE) <= set(steps[1].command) and "mediapipe" in steps[2].command[-1]
    assert plan.space_for(choice, videos=True) > plan.space_for(choice)


def test_videos_need_a_python_that_has_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "python"
    newer.write_text("#!/bin/sh\necho 3.13.1\n")
    newer.chmod(0o755)
    assert pythons.find_base(newer) == newer
    with pytest.raises(WorkerError, match=r"is Python 3\.13\.1; videos need 3\.11 to 3\.12"):
        pythons.find_base(newer, plan.PREPARE_NEWEST)
    monkeypatch.setattr(pythons, "candidates", lambda: iter([newer]))
    assert pythons.find_base() == newer
    with pytest.raises(WorkerError, match=r"no Python 3\.11 to 3\.12 was found, which videos need"):
        pythons.find_base(None, plan.PREPARE_NEWEST)


def test_what_the_dialog_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """`videos` reaches the choice of the Python and the commands."""
    seen: list[tuple[int, int]] = []

    def find_base(_chosen: Path | None, newest: tuple[int, int]) -> Path:
        seen.append(newest)
        raise WorkerError("none")

    monkeypatch.setattr(session, "find_base", find_base)
    for videos in (False, True):
        with pytest.raises(WorkerError):
            session.WorkerSession().begin_set_up("cpu_torch", None, videos=videos)
    assert seen == [pythons.NEWEST, plan.PREPARE_NEWEST]
    assert "videos" in operators.EGSTALKER_OT_worker_set_up.__annotations__
