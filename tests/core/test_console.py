"""The output of every command: one schema with --json; for people, progress and results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import cli
from core.commands import ablate, approximate, evaluate
from core.commands.console import EVENTS, LINE_SECONDS, Console
from core.errors import CancelledError, OutputError
from core.evaluation.record import Report
from core.prepare import pipeline
from core.system.pace import count_text, time_text
from core.training import trainer
from tests.support.events import REQUIRED, events_of
from tests.support.talking import small_avatar, sound

GOLDEN = Path(__file__).parents[1] / "golden"
TRAINER: list[dict[str, Any]] = [
    {"event": "start", "device": "cpu", "stages": ["static"], "dataset": "clip"},
    {"event": "note", "text": "rather dark"},
    {
        "event": "progress", "stage": "static", "step": 3, "steps": 9, "seconds": 1.0,
        "remaining": 65.0, "loss": 0.5, "psnr": None, "gaussians": 7,
    },
    {"event": "preview", "path": "a.jpg", "step": 3, "psnr": 30.0},
    {"event": "saved", "path": "state"},
    {"event": "done", "path": "out.egs", "psnr": 31.5, "seconds": 9.0},
]  # fmt: skip
FACTS = {"frames": 50, "focal": 1200.0, "blinks": 2}
WORK: dict[str, tuple[str, ...]] = {  # command -> a short run, in the folder of `given`
    "convert": ("still.ply", "new.egs"),
    "export": ("small.egs", "new.ply", "--ply"),
    "info": ("small.egs",),
    "verify": (str(GOLDEN / "network_egstalker.npz"),),
    "render": (
        "small.egs", "--audio", "sound.npy", "--out", "frames", "--frames", "1-2",
        "--engine", "builtin", "--backend", "numpy",
    ),
    "export-splats": (
        "small.egs", "head.ply", "--audio", "sound.npy", "--frames", "1-2", "--engine", "builtin",
    ),
    "prepare": ("talk.mp4", "clip"),
    "train": ("clip", "new.egs"),
    "approximate": ("small.egs", "new.egs", "--audio", "sound.npy", "--backend", "numpy"),
    "bench": (
        "small.egs", "--audio", "sound.npy", "--frames", "1",
        "--backend", "numpy", "--parts", "stages",
    ),
    "evaluate": ("small.egs", "clip", "--out", "report", "--backend", "numpy"),
    # With --json at the end, among the options of `train`:
    "ablate": ("--backend", "numpy", "clip", "variants"),
}  # fmt: skip
ONE_OBJECT = {"info", "verify", "bench"}


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with input for every command; what takes long only reports."""
    monkeypatch.chdir(tmp_path)
    small_avatar(tmp_path / "small.egs")
    np.save(tmp_path / "sound.npy", sound().windows)
    (tmp_path / "clip").mkdir()
    (tmp_path / "talk.mp4").touch()
    assert cli.main(["export", "small.egs", "still.ply", "--ply"]) == 0

    def train(job: object, report: Callable[[Mapping[str, Any]], None]) -> None:
        for event in TRAINER:
            report(event)

    def prepare(video: Path, folder: Path, options: object, **listeners: Any) -> dict[str, Any]:
        listeners["progress"]("landmarks", 1, 2)
        listeners["note"]("rather dark")
        return FACTS

    def measure(*args: Any) -> Report:
        args[-1]("val", 1, 2)
        return Report("head on clip", {}, (), ())

    def freeze(*args: Any, **options: Any) -> None:
        options["on_progress"](1, 2)

    def variants(ablation: object, report: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
        report({"variant": "full", "event": "evaluating", "step": "val", "done": 1, "total": 2})
        return {"full": {"seconds": 1.0, "values": {"psnr": float("nan")}}}

    monkeypatch.setattr(trainer, "train", train)
    monkeypatch.setattr(pipeline, "prepare", prepare)
    monkeypatch.setattr(evaluate, "load_clip", lambda folder: None)
    monkeypatch.setattr(evaluate, "evaluate", measure)
    monkeypatch.setattr(approximate, "freeze", freeze)
    monkeypatch.setattr(ablate, "ablate", variants)
    return tmp_path


def test_every_command_is_tried() -> None:
    assert set(WORK) == set(cli.COMMANDS)
    assert set(REQUIRED) == set(EVENTS)


@pytest.mark.parametrize("name", WORK)
def test_every_command_prints_the_one_schema(
    name: str, given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main([name, *WORK[name], "--json"]) == 0
    printed = capsys.readouterr()
    events = events_of(printed.out)
    assert printed.err == "" and events[-1]["event"] == "done"
    if name in ONE_OBJECT:
        assert len(events) == 1
    else:
        assert events[0]["event"] == "start" and events[0]["what"] == name
        assert events[-1]["path"]
    # The same for people: the result alone on stdout.
    assert cli.main([name, *WORK[name]]) == 0
    printed = capsys.readouterr()
    assert printed.out and "{" not in printed.out
    assert "note" not in printed.out and "1/2" not in printed.out


@pytest.mark.parametrize("name", WORK)
def test_every_failure_is_one_line_and_the_last_event(
    name: str, given: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = sys.modules[f"core.commands.{name.replace('-', '_')}"]
    for error in (OutputError("the disk is full"), CancelledError("stopped at step 3")):
        monkeypatch.setattr(module, "run", _fails(error))
        assert cli.main([name, *WORK[name], "--json"]) == error.exit_code
        printed = capsys.readouterr()
        failed = {"event": "failed", "message": str(error), "code": error.exit_code}
        assert events_of(printed.out)[-1] == failed
        assert printed.err == f"error: {error}\n"
        assert cli.main([name, *WORK[name]]) == error.exit_code
        printed = capsys.readouterr()
        assert (printed.out, printed.err) == ("", f"error: {error}\n")


def test_a_failure_after_the_start_comes_last(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (given / "still.ply").write_text("no points")
    assert cli.main(["convert", "still.ply", "new.egs", "--json"]) == 2
    printed = capsys.readouterr()
    assert [event["event"] for event in events_of(printed.out)] == ["start", "failed"]
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1


def test_missing_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> int:
        raise MemoryError

    monkeypatch.setattr("core.commands.info.run", run)
    assert cli.main(["info", "head.egs"]) == 1
    assert capsys.readouterr().err.startswith("error: memory ran out; close other programs")


def test_an_interrupt_is_130_and_stopped(
    given: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.modules["core.commands.info"], "run", _fails(KeyboardInterrupt()))
    assert cli.main(["info", "small.egs"]) == 130
    assert capsys.readouterr() == ("", "stopped\n")
    assert cli.main(["info", "small.egs", "--json"]) == 130
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"event": "failed", "message": "stopped", "code": 130}
    assert printed.err == "stopped\n"


def _fails(error: BaseException) -> Callable[..., int]:
    def run(*args: object) -> int:
        raise error

    return run


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_of_one_step_can_be_thinned(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    console = Console(True, clock)
    for done in range(1, 10):
        clock.now += 0.2
        console.progress("masks", done, 9, every=0.5)
    clock.now += 0.1
    console.progress("report", 1, 9, every=0.5)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["done"] for event in events if event["what"] == "masks"] == [1, 4, 7, 9]
    assert events[-1]["what"] == "report"


def test_json_has_no_nan_and_no_other_letters(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("Grüße\udcff.egs")
    Console(True).done("", path=path, values={"psnr": float("nan"), "all": (1, float("inf"))})
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {
        "event": "done", "path": str(path), "values": {"psnr": None, "all": [1, None]}}  # fmt: skip


def test_a_log_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    console = Console(False, clock)
    for done in range(61):
        console.progress("frames", done, 60)
        clock.now += 0.5
    assert LINE_SECONDS == 15
    assert capsys.readouterr() == ("", "frames 30/60, 0:15 left\nframes 60/60\n")


def test_a_terminal_gets_one_line_that_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "31")
    clock = FakeClock()
    console = Console(False, clock)
    console.progress("static", 10, 100, ", loss 0.1234", remaining=70.0)
    console.progress("static", 100, 100)
    console.note("rather dark")
    console.progress("motion", 1, 2)
    console.done("the result")
    printed = capsys.readouterr()
    first = "static 10/100, 1:10 left, loss 0.1234"[:30]
    assert printed.err.split("\n") == [
        f"\r{first}\r{'static 100/100':<30}",
        "note: rather dark",
        "\rmotion 1/2",
        "",
    ]
    assert printed.out == "the result\n"


@pytest.mark.parametrize(
    ("done", "total", "remaining", "text"),
    [
        (3, 10, None, "3/10"),
        (3, 10, 80.2, "3/10, 1:21 left"),
        (10, 10, 0.0, "10/10"),
        (17, 0, None, "17"),
    ],
)
def test_a_count(done: int, total: int, remaining: float | None, text: str) -> None:
    assert count_text(done, total, remaining) == text


def test_a_time() -> None:
    assert [time_text(seconds) for seconds in (0, 59.5, 3605)] == ["0:00", "1:00", "1:00:05"]
