"""The Train panel shows what is wrong with a video, and opens the page about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.training import operators, panel, picture, session
from egstalker.egstalker_blender.training.session import TrainingSession

from tests.blender.test_interface_panels import Layout, context
from tests.support.blender_training import fake_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended Python is a script")


@pytest.fixture
def mine(
    scene: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, avatar_path: Path
) -> Iterator[TrainingSession]:
    """A session of its own, ready to train on a folder or a film."""
    own = TrainingSession()
    monkeypatch.setattr(picture, "user_folder", lambda _name: tmp_path)
    monkeypatch.setattr(session, "_session", own)
    python = fake_python(tmp_path / "python", avatar_path)
    monkeypatch.setenv(preferences.WORKER_PYTHON_VARIABLE, str(python))
    (tmp_path / "clip").mkdir()
    (tmp_path / "film.mp4").write_bytes(b"film")
    props = bpy.context.scene.egstalker_training
    props.dataset, props.video = str(tmp_path / "clip"), str(tmp_path / "film.mp4")
    props.output, props.import_result = str(tmp_path / "head.egs"), False
    yield own
    own.close()
    picture.clear()


class WithIcons(Layout):
    """Also writes icons down."""

    def __init__(self) -> None:
        super().__init__([])
        self.icons: list[str] = []

    def label(self, text: str = "", icon: str = "NONE", translate: bool = True) -> None:
        super().label(text, icon, translate)
        self.icons += [icon] if icon not in ("NONE", "BLANK1") else []


def drawn(mine: TrainingSession) -> WithIcons:
    layout = WithIcons()
    panel._draw_findings(layout, context(), mine.news)
    return layout


def test_the_worst_three_are_shown_also_after_the_training(
    mine: TrainingSession, tmp_path: Path
) -> None:
    bpy.context.scene.egstalker_training.source = "VIDEO"
    bpy.ops.egstalker.train()
    assert mine.news.done and mine.news.psnr and len(mine.news.findings) == 4
    layout = drawn(mine)
    shown = " ".join(layout.seen)
    assert "Face size: The face size is 9.5 px." in shown and "Length" in shown
    assert "Blinks" not in shown
    assert layout.icons == ["ERROR", "INFO", "INFO"]
    assert layout.seen[-1] == "egstalker.train_report"
    page = tmp_path / "film.dataset" / "prepare_report.html"
    assert operators.EGSTALKER_OT_train_report.path() == mine.news.page == page
    assert bpy.ops.egstalker.train_report.poll()
    page.unlink()
    assert not bpy.ops.egstalker.train_report.poll()


def test_without_a_video_there_is_nothing_to_show(mine: TrainingSession) -> None:
    bpy.ops.egstalker.train()
    assert mine.news.done and not drawn(mine).seen
    with pytest.raises(RuntimeError, match="no video was prepared"):
        bpy.ops.egstalker.train_report()
