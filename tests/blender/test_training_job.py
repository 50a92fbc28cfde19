"""A training as a process: output, ends, stopping. No window, no torch."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from egstalker.core.errors import EgsError, OutputError
from egstalker.core.training.folder import has_state
from egstalker.core.training.job import STOP
from egstalker.egstalker_blender.jobs import command
from egstalker.egstalker_blender.jobs.job import DONE, FAILED, QUIET, STOPPED, STOPPING, State
from egstalker.egstalker_blender.training import plan
from egstalker.egstalker_blender.training.job import STOP_PATIENCE, Training
from egstalker.egstalker_blender.training.plan import Settings

from tests.support.blender_training import LONG, fake_python
from tests.support.waiting import LIMIT, Clock, Gate, alive, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended Python is a script")


@pytest.fixture
def clock() -> Clock:
    """Of every job that `start` begins."""
    return Clock()


@pytest.fixture
def start(tmp_path: Path, avatar_path: Path, clock: Clock) -> Iterator[Callable[..., Training]]:
    begun: list[Training] = []

    def begin(words: str = "", video: bool = False, **values: object) -> Training:
        python = fake_python(tmp_path / "python", avatar_path, words, **values)
        steps = plan.steps_for(settings(tmp_path, python, video))
        begun.append(Training(steps, work(tmp_path), clock=clock))
        return begun[-1]

    yield begin
    for job in begun:
        job.close(0.0)
        assert not alive(job.pid)


def settings(folder: Path, python: Path, video: bool = False) -> Settings:
    return Settings(
        python=python,
        dataset=folder / ("film.dataset" if video else "clip"),
        output=folder / "head.egs",
        video=folder / "film.mp4" if video else None,
    )


def work(folder: Path) -> Path:
    return folder / "head.training"


def finish(job: Training) -> State:
    until(lambda: not job.poll().alive)
    return job.poll()


def until_progress(job: Training, stage: str = "") -> State:
    """Until it reports progress (of that stage)."""

    def reached() -> bool:
        job.poll()
        progress = job.news.progress
        return progress is not None and stage in ("", progress.what)

    until(reached)
    return job.poll()


def test_the_command_of_each_choice(tmp_path: Path) -> None:
    least = Settings(Path("/py"), Path("/clip"), Path("/out/head.egs"))
    assert plan.command_for(least) == [
        "/py", "-m", "core", "train", "/clip", "/out/head.egs", "--preset", "good",
        "--device", "auto", "--work", "/out/head.training", "--json",
    ]  # fmt: skip
    most = Settings(
        Path("/py"),
        Path("/out/head.dataset"),
        Path("/out/head.egs"),
        video=Path("/film.mp4"),
        preset="best",
        minutes=5,
        features="log-mel+phonetic",
        device="cuda",
        resume=True,
    )
    text = " ".join(plan.command_for(most))
    assert "--preset best --device cuda --minutes 5 --features log-mel+phonetic" in text
    assert text.endswith("--work /out/head.training --resume --json")
    first, second = plan.steps_for(most)
    assert first.command == (
        "/py", "-m", "core", "prepare", "/film.mp4", "/out/head.dataset", "--json",
    )  # fmt: skip
    assert second.command == tuple(plan.command_for(most))
    assert second.stop_file == Path("/out/head.training/stop")


def test_from_a_video_to_the_avatar(start: Callable[..., Training], tmp_path: Path) -> None:
    stages = {"landmarks": "Preparing", "static": "Training", "motion": "Training"}
    gates = {stage: Gate(tmp_path / stage) for stage in stages}
    job = start(video=True, gates=tmp_path)
    for stage, text in stages.items():
        state = until_progress(job, stage)
        assert state.text == text and 0 <= state.factor <= 1
        gates[stage].open()
    state = finish(job)
    assert state.kind == DONE and state.text == f"{tmp_path / 'head.egs'} is ready, PSNR 31.2 dB"
    assert (tmp_path / "film.dataset" / "prepare_report.png").is_file()
    assert job.news.saved and job.news.preview == work(tmp_path) / "preview_000005.png"
    arguments = json.loads((work(tmp_path) / "arguments.json").read_text())
    assert arguments[:2] == [str(tmp_path / "film.dataset"), str(tmp_path / "head.egs")]
    assert has_state(work(tmp_path))


def test_progress_carries_time_and_quality(start: Callable[..., Training]) -> None:
    job = start(**LONG)
    until(lambda: (p := job.news.progress) is not None and p.done >= 3)
    progress = job.news.progress
    assert progress is not None and progress.loss and progress.loss < 0.1
    assert progress.remaining and progress.psnr and progress.gaussians == 20000 + 10 * progress.done


def test_stop_keeps_the_state(start: Callable[..., Training], tmp_path: Path) -> None:
    assert not has_state(work(tmp_path))
    job = start(**LONG)
    until_progress(job)
    job.stop()
    assert job.poll().kind in (STOPPING, STOPPED)
    state = finish(job)
    assert state.kind == STOPPED and "Resume" in state.text
    assert has_state(work(tmp_path))
    assert not (work(tmp_path) / STOP).exists()  # the next one is not stopped by it
    job.stop()  # may come late
    assert job.poll() == state


def test_a_stop_of_an_earlier_training_does_not_count(
    start: Callable[..., Training], tmp_path: Path
) -> None:
    work(tmp_path).mkdir()
    (work(tmp_path) / STOP).touch()
    assert finish(start()).kind == DONE


def test_one_that_does_not_stop_is_ended(
    start: Callable[..., Training], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.0)
    job = start("deaf", **LONG)
    until_progress(job)
    job.stop()
    clock.advance(STOP_PATIENCE)
    assert job.poll().kind == STOPPING and alive(job.pid)
    clock.advance(1.0)
    state = job.poll()
    assert state.kind == STOPPED and "was ended" in state.text
    assert not alive(job.pid)


def test_the_second_stop_does_not_wait(start: Callable[..., Training], tmp_path: Path) -> None:
    job = start("silent")
    until((work(tmp_path) / "arguments.json").exists)  # it runs
    job.stop()
    assert job.poll().kind == STOPPING
    job.stop()
    assert job.poll().kind == STOPPED and not alive(job.pid)


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.default_int_handler])
def test_preparing_is_stopped_by_an_interrupt(
    start: Callable[..., Training], tmp_path: Path, handler: Any
) -> None:
    """Also if Blender itself ignores interrupts, as everything does in a shell's background."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        job = start(video=True, **LONG)
        assert signal.getsignal(signal.SIGINT) == handler  # Blender's own is what it was
    finally:
        signal.signal(signal.SIGINT, before)
    until_progress(job)
    job.stop()
    state = finish(job)
    assert state.kind == STOPPED and "finished steps are kept" in state.text
    assert not (tmp_path / "head.egs").exists() and not has_state(work(tmp_path))


def test_noise_is_passed_over(start: Callable[..., Training]) -> None:
    job = start("noise", video=True)
    state = finish(job)
    assert state.kind == DONE and job.news.note == "two frames have no landmarks"
    log = job.log.read_text(errors="replace")
    assert "a library says hello" in log and "xxx" not in log


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("error", "clip/ori_imgs holds no frame; prepare it again"),
        ("crash", "Training: ValueError: a defect"),
        ("killed", "Training: it was killed from outside; a system does that when memory runs out"),
        ("nothing", "Training: it ended without a result; see the log"),
        ("lost", "Training: it is done, but {folder}/head.egs is not there; see the log"),
    ],
)
def test_how_it_fails(
    start: Callable[..., Training], tmp_path: Path, words: str, expected: str
) -> None:
    state = finish(start(words))
    assert (state.kind, state.text) == (FAILED, expected.format(folder=tmp_path))


def test_a_video_that_cannot_be_prepared_is_not_trained_on(
    start: Callable[..., Training], tmp_path: Path
) -> None:
    state = finish(start("no-face", video=True))
    assert state.kind == FAILED
    assert state.text == (
        f"{tmp_path / 'film.mp4'} shows no face in any frame; choose another video"
    )
    assert not (work(tmp_path) / "arguments.json").exists()


def test_an_error_while_stopping_is_shown(start: Callable[..., Training]) -> None:
    """The disk is full when it saves its state."""
    job = start("error")
    job.stop()
    assert finish(job).text.startswith("clip/ori_imgs holds no frame")


def test_what_outlives_the_command_goes_too(
    start: Callable[..., Training], clock: Clock, tmp_path: Path
) -> None:
    job = start("orphan")
    until((work(tmp_path) / "orphan").exists)
    until(lambda: clock.advance(1.0) or not job.poll().alive)  # it is given time to end by itself
    state = job.poll()
    assert state.text == "the parent ends first"
    until(lambda: not alive(int((work(tmp_path) / "orphan").read_text())))


def test_a_long_silence_is_reported(start: Callable[..., Training], clock: Clock) -> None:
    job = start("silent")
    clock.advance(QUIET)
    assert job.poll().quiet == 0.0
    until(lambda: clock.advance(1.0) or job.poll().quiet > QUIET)
    assert job.poll().alive


def test_blender_ends(start: Callable[..., Training], tmp_path: Path) -> None:
    job = start(**LONG)
    until_progress(job)
    job.close(LIMIT)
    assert not alive(job.pid) and has_state(work(tmp_path))
    assert job.poll().kind == STOPPED
    job.close()


def test_places_that_do_not_serve(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"gone/head\.training cannot be used: No such file"):
        Training([], tmp_path / "gone" / "head.training")
    with pytest.raises(OutputError, match="cannot be used"):
        (tmp_path / "head.training").write_text("")
        Training([], tmp_path / "head.training")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    missing = settings(tmp_path, tmp_path / "no python")
    with pytest.raises(EgsError, match="no python cannot be started"):
        Training(plan.steps_for(missing), missing.work)
