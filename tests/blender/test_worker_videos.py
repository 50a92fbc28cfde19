"""A worker that can also turn videos into datasets: its packages, and the Python they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from egstalker.core.errors import ArgumentError, WorkerError
from egstalker.core.prepare import packages
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.setup_worker import operators, plan, pythons, session
from egstalker.egstalker_blender.training import probe
from egstalker.egstalker_blender.training.plan import Settings, prepare_command_for

from core.cli import build_parser


@pytest.mark.parametrize("videos", [plan.WITH_MODELS, plan.WITHOUT_MODELS])
@pytest.mark.parametrize("choice", [item[0] for item in plan.CHOICES])
def test_commands_with_videos(choice: str, videos: plan.Videos, tmp_path: Path) -> None:
    steps = plan.steps_for(choice, Path("base"), tmp_path / "new", videos=videos)
    lists = [word for word in steps[1].command if word.startswith("--requirement=")]
    assert all(path.endswith(f"{videos.suffix}.txt") for path in lists)
    assert "mediapipe==" in Path(lists[0].partition("=")[2]).read_text()
    assert "mediapipe" in steps[-1].command[-1]
    assert plan.space_for(choice, videos=True) > plan.space_for(choice)


def python_that_says(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_videos_need_a_python_that_has_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without model files 3.11 or 3.12; with them those first, then 3.13."""
    find = pythons.find_base_for_videos
    old, new, newest = (
        python_that_says(tmp_path / version, f"{version}.1") for version in ("3.12", "3.13", "3.14")
    )
    assert pythons.find_base(new) == new
    need = r"videos need Python 3\.11 to 3\.12, or 3\.13 and both model files in the preferences"
    with pytest.raises(WorkerError, match=rf"is Python 3\.13\.1; {need}"):
        find(new, models=False)
    assert find(new, models=True) == (new, plan.WITHOUT_MODELS)
    assert find(old, models=True) == (old, plan.WITH_MODELS)
    with pytest.raises(
        WorkerError, match=r"is Python 3\.14\.1; videos need Python 3\.11 to 3\.13$"
    ):
        find(newest, models=True)
    monkeypatch.setattr(pythons, "candidates", lambda: iter([newest, new]))
    assert pythons.find_base() == new
    assert find(None, models=True) == (new, plan.WITHOUT_MODELS)
    with pytest.raises(WorkerError, match=rf"none was found: {need}; install one, or choose it"):
        find(None, models=False)
    monkeypatch.setattr(pythons, "candidates", lambda: iter([new, old]))
    assert find(None, models=True) == (old, plan.WITH_MODELS)


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> preferences.VideoModels:
    """Model files that the preferences name."""
    files = [tmp_path / name for name in ("face_landmarker.task", "own.tflite")]
    for path in files:
        path.write_bytes(path.name.encode())
    settings = SimpleNamespace(
        landmark_model=str(files[0]), segmenter=str(files[1]), worker_python=""
    )
    monkeypatch.setattr(preferences, "get", lambda: settings)
    return preferences.VideoModels(*files)


def listed(command: Sequence[str]) -> str:
    """The lists that a command of pip installs."""
    files = [word.partition("=")[2] for word in command if word.startswith("--requirement=")]
    return "\n".join(Path(file).read_text() for file in files)


def test_what_the_dialog_asks_for(
    monkeypatch: pytest.MonkeyPatch, named: preferences.VideoModels
) -> None:
    """`videos` and the named models reach the choice of the Python, its packages the commands."""
    chosen: list[bool] = []

    def find(_chosen: Path | None, models: bool) -> tuple[Path, plan.Videos]:
        chosen.append(models)
        return Path("base"), plan.WITHOUT_MODELS

    monkeypatch.setattr(session, "find_base_for_videos", find)
    commands = session._plan_of("cpu_torch", None, True)(Path("new"))
    assert "mediapipe==0.10.30 " in listed(commands[1].command) and chosen == [True]
    without = session._plan_of("cpu", None, False)(Path("new"))
    assert "mediapipe" not in listed(without[1].command)
    monkeypatch.setattr(preferences, "get", lambda: None)
    session._plan_of("cpu_torch", None, True)
    assert chosen == [True, False]
    assert "videos" in operators.EGSTALKER_OT_worker_set_up.__annotations__


def test_named_models_are_checked(
    named: preferences.VideoModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A known file is taken silently, another with a note of its digest; a missing one is named."""
    assert preferences.video_models() == named and named.complete
    assert named.landmarks is not None
    monkeypatch.setattr(packages, "KNOWN", {packages.hash_of(named.landmarks): "known"})
    lines = list(packages.unknown_models(named.labelled))
    assert len(lines) == 1 and lines[0].startswith("Segmenter own.tflite is a file that was never")
    named.landmarks.unlink()
    with pytest.raises(
        ArgumentError, match=r"Landmark Model .*task' is not a file; choose face_land"
    ):
        preferences.video_models()


def test_a_training_on_a_video_uses_the_named_models(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, tmp_path, tmp_path / "film.mp4")
    assert "--segmenter" not in prepare_command_for(settings)
    command = prepare_command_for(
        replace(settings, landmark_model=Path("a.task"), segmenter=Path("b.tflite"))
    )
    args = build_parser().parse_args(command[3:])
    assert (args.landmark_model, args.segmenter) == (Path("a.task"), Path("b.tflite"))
    bare = probe.Answer(tmp_path, models=False)
    assert not bare.reason() and not bare.reason(video=True, models=True)
    assert "contains no models; choose Landmark Model and Segmenter" in bare.reason(video=True)
