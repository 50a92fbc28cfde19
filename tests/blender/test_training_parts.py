"""Parts of the Train panel: its lines, its picture, the events of a command, the probe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.core.prepare.findings.record import GRADES, Finding
from egstalker.egstalker_blender.jobs.job import State
from egstalker.egstalker_blender.preferences import BACKENDS
from egstalker.egstalker_blender.training import news, panel, picture, probe
from egstalker.egstalker_blender.training.news import News, Progress

from core.cli import build_parser
from tests.blender.test_interface_panels import ICONS
from tests.support.blender import read_png
from tests.support.blender_training import fake_python
from tests.support.training_fake import write_png
from tests.support.waiting import until


def test_lines_of_the_panel() -> None:
    progress = Progress("landmarks", 3, 10)
    state = State("running", "Preparing", 75.0, quiet=3700.0)
    assert panel.bar_text(state, progress) == "Landmarks 3 of 10"
    assert panel.detail_lines(state, progress) == ["1:15 so far", "No output for 1:01:40"]
    assert panel.bar_text(State("running", "Training", 0.0), None) == "Starting..."
    assert set(panel.ICONS.values()) | set(panel.GRADE_ICONS.values()) <= set(ICONS)
    assert set(panel.GRADE_ICONS) == set(GRADES)


def test_the_picture_is_replaced_by_one_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "user_folder", lambda _name: tmp_path)
    images = len(bpy.data.images)
    for name in ("none.png", "one.png", "two.png", "bad.png"):
        path = tmp_path / name
        if name == "bad.png":
            path.write_bytes(b"no picture")
        elif name != "none.png":
            write_png(path, *((32, 32) if name == "one.png" else (64, 16)))  # its left square
        picture.show(path)
        picture.show(path)
        expected = {"none.png": (0, 0), "one.png": (32, 32)}.get(name, (16, 16))
        assert picture.size() == expected, name
    assert len(bpy.data.images) == images and len(picture._icons) == 1
    copy = read_png(picture._copied(tmp_path / "two.png"))
    assert copy[0, :, 0].tolist() == [3 * x for x in range(16)]  # nothing is squeezed
    picture.show(None)
    assert picture.size() == (16, 16)
    picture.clear()
    assert picture.size() == (0, 0) and picture.icon() == 0


PROGRESS = {"event": "progress", "stage": "static", "step": 3, "steps": 10}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Progress("static", 3, 10)),
        ({"loss": 0.5, "psnr": 30, "gaussians": 7}, Progress("static", 3, 10, None, 0.5, 30.0, 7)),
        ({"loss": float("nan"), "psnr": "x", "remaining": None}, Progress("static", 3, 10)),
        ({"loss": True, "remaining": 10**400, "gaussians": -1}, Progress("static", 3, 10)),
        ({"steps": "ten"}, None),
        ({"step": -1}, None),
        ({"stage": 4, "step": 5}, None),
        ({"what": "lips", "done": 4, "total": 20}, Progress("lips", 4, 20)),
        ({"what": "", "done": 4, "total": "x"}, Progress("static", 3, 10)),
    ],
)
def test_a_word_of_progress(change: dict[str, Any], expected: Progress | None) -> None:
    assert news.folded(News(), {**PROGRESS, **change}).progress == expected


def test_news_keeps_the_newest_of_each_kind() -> None:
    newest = News()
    for event in (
        PROGRESS,
        {"event": "preview", "path": "a.jpg"},
        {"event": "note", "text": "x" * 9999},
        {"event": "saved"},
        {"event": "preview", "path": None},
        {"event": "progress"},
        {"event": "of a later version"},
    ):
        newest = news.folded(newest, event)
    assert newest.progress == Progress("static", 3, 10) and newest.preview == Path("a.jpg")
    assert len(newest.note) == news.MAX_TEXT and newest.saved and not newest.done
    assert news.folded(newest, {"event": "done", "psnr": None}).done


@pytest.mark.parametrize("path", [{}, {"what": "state"}])
def test_a_saved_state(path: dict[str, str]) -> None:
    """Without `what` it is of the first version."""
    found = news.folded(News(), {"event": "saved", "path": "state", **path})
    assert found == News(saved=True)


@pytest.mark.parametrize("what", ["preview", "picture"])
def test_a_saved_picture_is_the_preview(what: str) -> None:
    picture = {"path": "a.jpg"}
    now = news.folded(News(), {"event": "saved", "what": what, **picture})
    assert now == news.folded(News(), {"event": what, **picture}) == News(preview=Path("a.jpg"))
    assert news.folded(News(), {"event": "saved", "what": "report", **picture}) == News()


FINDING = {
    "name": "face size", "grade": "bad", "value": 96.5, "unit": "px",
    "text": "The face is small.", "advice": "Film from nearer.",
}  # fmt: skip


def test_findings_are_collected_and_survive_the_command() -> None:
    newest = news.folded(News(note="rather dark"), {"event": "note", "finding": FINDING})
    word = {**FINDING, "name": "background", "value": "drifts"}
    newest = news.folded(newest, {"event": "note", "text": "x", "finding": word})
    newest = news.folded(newest, {"event": "saved", "what": "page", "path": "a.html"})
    assert newest.note == "rather dark" and newest.page == Path("a.html")
    assert [found.shown for found in newest.findings] == ["96.5 px", "drifts px"]
    assert newest.findings[0] == Finding(**FINDING)
    kept = newest.of_video
    assert kept == News(findings=newest.findings, page=Path("a.html"))


@pytest.mark.parametrize(
    "change", [{"grade": "awful"}, {"grade": 1}, {"name": ""}, {"text": None}, {"name": ["a"]}]
)
def test_what_is_no_finding_is_a_note(change: dict[str, Any]) -> None:
    event = {"event": "note", "text": "a note", "finding": {**FINDING, **change}}
    assert news.folded(News(), event) == News(note="a note")
    assert news.folded(News(), {**event, "finding": "bad"}) == News(note="a note")


def test_findings_are_bounded() -> None:
    newest = News()
    for _ in range(3 * news.MAX_FINDINGS):
        newest = news.folded(newest, {"event": "note", "finding": FINDING})
    assert len(newest.findings) == news.MAX_FINDINGS


@pytest.mark.parametrize("event", [{"event": "start", "what": "train"}, {"event": "failed"}])
def test_the_ends_of_a_command_are_no_news(event: dict[str, str]) -> None:
    assert news.folded(News(note="rather dark"), event) == News(note="rather dark")


@pytest.mark.parametrize(
    "line", [b"", b"words", b"[1]", b"{}", b'{"event": 1}', b"\xff", b"[" * 9999]
)
def test_a_line_that_is_no_event(line: bytes) -> None:
    assert news.parse(line) is None


def test_a_bar_never_leaves_its_ends() -> None:
    factors = [Progress("x", done, total).factor for done, total in ((5, 0), (5, 3), (0, 3))]
    assert factors == [0.0, 1.0, 0.0]


def test_every_device_of_the_preferences_is_one_of_a_training() -> None:
    for device in BACKENDS:
        arguments = ["train", "clip", "head.egs", "--device", device]
        assert build_parser().parse_args(arguments).device == device


@pytest.mark.skipif(sys.platform == "win32", reason="the pretended Python is a script")
def test_the_probe(tmp_path: Path, avatar_path: Path) -> None:
    python = fake_python(tmp_path / "python", avatar_path)
    asking = probe.Probe()
    assert asking.answer(python) is None  # not known yet, and it does not wait
    until(lambda: (known := asking.answer(python)) is not None and not known.reason())
    until(lambda: not asking.busy)  # the thread ends a moment after its answer is there
    assert not asking.wait_for(python).reason(video=True)
    bare = asking.wait_for(fake_python(tmp_path / "bare", avatar_path, "no-torch no-av"))
    assert bare.reason(True) == (
        f"Training needs torch, not in {tmp_path / 'bare'}; Set Up adds it"
    )
    films = asking.wait_for(fake_python(tmp_path / "films", avatar_path, "no-av no-scipy"))
    assert films.reason() == ""
    assert films.reason(video=True).startswith("Videos need av and scipy, not in")
    later = asking.wait_for(fake_python(tmp_path / "later", avatar_path, "no-mediapipe.modules"))
    assert not later.models and not later.missing
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    for python in (broken, tmp_path / "nowhere"):
        assert "does not run as Python" in asking.wait_for(python).reason()
    assert not asking.wait_for(Path(sys.executable)).fault


def test_a_no_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "RETRY", 0.0)
    python = Path("python")
    answers = [probe.Answer(python, ("torch",)), probe.Answer(python)]
    asking = probe.Probe(lambda _python: answers.pop(0))
    assert "needs torch" in asking.wait_for(python).reason()
    until(lambda: (known := asking.answer(python)) is not None and not known.reason())
    assert asking.answer(python) == probe.Answer(python) and not answers  # a Yes stays
