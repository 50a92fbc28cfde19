"""The start, progress, stop and failure of a bake, with a fake engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from egstalker.core.engine.fake import FakeEngine
from egstalker.core.errors import OutputError
from egstalker.egstalker_blender import bake

from tests.support.blender import job_of, names


def test_why_a_bake_cannot_start(head: Any, scene: Any, tmp_path: Path) -> None:
    assert bake.blocker(bpy.context) == ""
    props = head.egstalker
    props.camera_source = "scene"
    assert "no camera" in bake.blocker(bpy.context)
    props.sound_strip = "nothing"
    assert "nothing" in bake.blocker(bpy.context)
    props.sound_strip = "voice"
    props.output_path = "//out"
    assert "save it first" in bake.blocker(bpy.context)
    props.avatar_path = str(tmp_path / "gone.egs")
    assert "gone.egs" in bake.blocker(bpy.context)
    with pytest.raises(RuntimeError, match=r"gone\.egs"):
        bpy.ops.egstalker.bake()
    bpy.data.objects.remove(head)
    assert "Select an avatar" in bake.blocker(bpy.context)


def test_every_frame_must_be_there(head: Any, fake: Any) -> None:
    job = job_of(head)
    with pytest.raises(OutputError, match="1 of 3 frames were not written, the first is 2"):
        for progress in bake.bake_frames(fake, job):
            if progress.done == 3:
                job.path_of(job.frames[0]).unlink()


def test_an_old_file_is_no_frame(head: Any, fake: Any) -> None:
    job = job_of(head)
    list(bake.bake_frames(fake, job))
    lazy = SimpleNamespace(bake=lambda job: (step for step in FakeEngine().bake(shorter)))
    shorter = replace(job, frames=job.frames[:2])
    with pytest.raises(OutputError, match="first is 4"):
        list(bake.bake_frames(lazy, job))


def test_an_engine_that_fails_is_reported(head: Any, fake: Any, tmp_path: Path) -> None:
    fake.fail_at = 2
    with pytest.raises(RuntimeError, match="asked to fail"):
        bpy.ops.egstalker.bake()
    assert names(tmp_path / "out") == ["frame_0002.png"]


class Window:
    """As much of a window manager as the modal operator touches."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.text: str | None = ""

    def event_timer_add(self, step: float, window: Any) -> str:
        return "timer"

    def event_timer_remove(self, timer: str) -> None:
        self.calls.append("timer removed")

    def progress_begin(self, low: int, high: int) -> None:
        self.calls.append(f"0..{high}")

    def progress_update(self, value: int) -> None:
        self.calls.append(str(value))

    def progress_end(self) -> None:
        self.calls.append("end")

    def modal_handler_add(self, operator: Any) -> None:
        self.calls.append("modal")

    def status_text_set(self, text: str | None) -> None:
        self.text = text


class Operator(bake.BakeOperator):
    """*Bake Frames* without Blender's event loop, which does not run here."""

    engine, worker_python = "preferences", ""
    heads = bake.EGSTALKER_OT_bake.heads

    def __init__(self) -> None:
        self.reports: list[str] = []

    def report(self, kind: set[str], text: str) -> None:
        self.reports.append(text)


@pytest.fixture
def window(head: Any, fake: Any) -> Any:
    manager = Window()
    return SimpleNamespace(
        object=head,
        scene=bpy.context.scene,
        window=None,
        window_manager=manager,
        workspace=manager,
        evaluated_depsgraph_get=bpy.context.evaluated_depsgraph_get,
    )


TIMER, ESC, MOUSE = (SimpleNamespace(type=kind) for kind in ("TIMER", "ESC", "MOUSEMOVE"))


def test_step_by_step_in_the_window(window: Any, tmp_path: Path) -> None:
    operator = Operator()
    assert operator.invoke(window, TIMER) == {"RUNNING_MODAL"}
    assert operator.modal(window, MOUSE) == {"PASS_THROUGH"}
    results = [operator.modal(window, TIMER) for _ in range(5)]
    assert results == [{"RUNNING_MODAL"}] * 4 + [{"FINISHED"}]
    assert window.window_manager.calls == [
        "0..3",
        "modal",
        "0",
        "1",
        "2",
        "3",
        "timer removed",
        "end",
    ]
    assert window.window_manager.text is None
    assert len(names(tmp_path / "out")) == 3


def test_esc_stops_and_keeps_what_is_done(window: Any, tmp_path: Path) -> None:
    operator = Operator()
    operator.invoke(window, TIMER)
    for _ in range(3):
        operator.modal(window, TIMER)
    assert operator.modal(window, ESC) == {"CANCELLED"}
    assert names(tmp_path / "out") == ["frame_0002.png", "frame_0003.png"]
    assert window.window_manager.calls[-2:] == ["timer removed", "end"]
    operator.cancel(window)  # Blender may still call it
    assert window.window_manager.calls.count("end") == 1


def test_a_failing_engine_ends_the_modal_operator(window: Any, fake: Any) -> None:
    fake.fail_at = 1
    operator = Operator()
    operator.invoke(window, TIMER)
    operator.modal(window, TIMER)
    assert operator.modal(window, TIMER) == {"CANCELLED"}
    assert operator.reports == ["the fake engine was asked to fail"]
    assert window.window_manager.text is None
