"""What a render asks for, frame by frame, and how it ends where a frame cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.core.errors import EngineError
from egstalker.egstalker_blender.render import cloud, failure, native

from tests.support.blender_native import (
    animation,
    check_that_a_failing_frame_ends_blender,
    needs_splats,
    prepare,
    rendered,
)

pytestmark = needs_splats


@pytest.fixture
def shot(head: Any, scene: Any) -> Any:
    bpy.ops.egstalker.add_training_camera()
    prepare(scene, samples=1)
    scene.render.resolution_x, scene.render.resolution_y = 14, 12
    scene.frame_set(2)
    return head


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Instead of ending this Blender."""
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(failure, "_leave", lambda text, code: calls.append((text, code)))
    return calls


def frames_of(engine: Any) -> list[float]:
    """Scene frames of the moments that the engine received."""
    return [round(moment.seconds * 25 + 1, 3) for moment in engine.moments]


def test_each_frame_is_computed_once(shot: Any, scene: Any, fake: Any, tmp_path: Path) -> None:
    scene.view_layers.new("second")
    animation(scene, tmp_path)
    assert frames_of(fake) == [2, 3, 4]


def test_motion_blur_asks_for_the_shutter(shot: Any, scene: Any, fake: Any, tmp_path: Path) -> None:
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 0.5
    scene.frame_set(3)
    rendered(scene, tmp_path / "blurred.png")
    assert sorted(frames_of(fake)) == [2.75, 3, 3.25]


def test_drivers_are_evaluated_before_the_frame_is_asked_for(
    shot: Any, scene: Any, fake: Any, tmp_path: Path
) -> None:
    driver = shot.driver_add("egstalker.strength").driver
    driver.expression = "frame / 8"
    animation(scene, tmp_path)
    assert [moment.strength for moment in fake.moments] == pytest.approx([0.25, 0.375, 0.5])


def test_a_failed_frame_leaves_no_face_and_no_later_frame_is_computed(
    shot: Any, scene: Any, fake: Any, tmp_path: Path, left: list[tuple[str, int]]
) -> None:
    fake.fail_at, fake.error = 2, EngineError("the engine is gone")
    pictures = animation(scene, tmp_path)
    text = "frame 3 is not rendered: the engine is gone"
    assert left == [(text, 1)] and frames_of(fake) == [2, 3]
    assert pictures[2][..., 3].max() > 0.5
    assert pictures[3][..., 3].max() == 0 == pictures[4][..., 3].max()
    assert "frame 3" in failure.failure() and "engine is gone" in failure.failure()
    fake.fail_at = 0
    scene.frame_set(3)
    assert rendered(scene, tmp_path / "again.png")[..., 3].max() > 0.5
    assert failure.failure() == ""


def test_an_unexpected_error_stops_a_render_too(
    shot: Any, scene: Any, fake: Any, tmp_path: Path, left: list[tuple[str, int]]
) -> None:
    fake.fail_at, fake.error = 1, ZeroDivisionError("a defect")
    rendered(scene, tmp_path / "one.png")
    assert left == [("frame 2 is not rendered: a defect", 1)]
    assert cloud.is_empty(native.cloud_of(shot))


def test_linked_heads_that_differ_in_one_cloud_are_refused(
    shot: Any, scene: Any, fake: Any, tmp_path: Path, left: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(native, "separate", lambda: 0)  # as if both were linked
    copy = shot.copy()
    copy.egstalker.strength = 0.5
    scene.collection.objects.link(copy)
    rendered(scene, tmp_path / "one.png")
    assert len(left) == 1 and "shares its splats" in left[0][0] and left[0][1] == 2


def test_a_blender_without_a_window_ends_with_the_error(
    shot: Any, scene: Any, tmp_path: Path
) -> None:
    """Its third frame cannot be computed: the head is scaled unevenly while it follows another
    object."""
    shot.egstalker.pose_source, shot.egstalker.pose_object = "object", scene.camera
    check_that_a_failing_frame_ends_blender(shot, tmp_path)
