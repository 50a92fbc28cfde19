"""The material *Talking Head*, and the section *Render* that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender.render import failure, material, native
from egstalker.egstalker_blender.render import panel as render_panel
from egstalker.egstalker_blender.render.native_group import modifier_of

from tests.blender.test_interface_panels import drawn
from tests.support.blender_native import SUPPORTED, decibels, needs_splats, prepare, rendered


@pytest.fixture
def shot(head: Any, scene: Any) -> Any:
    bpy.ops.egstalker.add_training_camera()
    prepare(scene, samples=4)
    scene.render.resolution_percentage = 50
    scene.world = bpy.data.worlds.new("dark")
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0, 0, 0, 1)
    scene.frame_set(2)
    return head


@needs_splats
def test_grading_and_light(shot: Any, scene: Any, tmp_path: Path) -> None:
    plain = rendered(scene, tmp_path / "plain.png")
    bpy.ops.egstalker.add_material()
    assert decibels(rendered(scene, tmp_path / "same.png"), plain) > 40
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.egstalker.add_material()
    found = material.settings_of(material.material_of(native.cloud_of(shot)))
    gain, saturation, tint, relight = found

    def colours() -> Any:
        picture = rendered(scene, tmp_path / "graded.png")
        return picture[picture[..., 3] > 0.5][:, :3]

    before = colours()
    saturation.default_value = 0.0
    gray = colours()
    assert np.ptp(gray, axis=1).max() < 0.02 < np.ptp(before, axis=1).max()
    saturation.default_value, gain.default_value = 1.0, 0.25
    assert 0.2 < colours().mean() / before.mean() < 0.8
    gain.default_value, tint.default_value = 1.0, (1, 0, 0, 1)
    assert colours()[:, 1:].max() < 0.01
    tint.default_value, relight.default_value = (1, 1, 1, 1), 1.0
    assert colours().max() < 0.01  # there is no light
    lamp = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    lamp.data.energy, lamp.matrix_world = 3, scene.camera.matrix_world
    scene.collection.objects.link(lamp)
    assert colours().mean() > 0.1


@needs_splats
def test_copies_share_the_node_group(head: Any, avatar_path: Path) -> None:
    bpy.ops.egstalker.add_material()
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    bpy.ops.egstalker.add_material()
    assert len(bpy.data.materials) == 2
    assert sum(material.KEY in group for group in bpy.data.node_groups) == 1


@needs_splats
def test_the_state_line(head: Any, scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def line() -> str:
        return str(render_panel.state_line(scene, head)[0])

    panel = render_panel.EGSTALKER_PT_render
    assert line().startswith("Native")
    assert {"show_render", "show_viewport", "use_lock_interface"} <= set(drawn(panel))
    modifier_of(head).show_render = False
    assert "disabled" in line()
    monkeypatch.setattr(failure, "_failure", "frame 3 was rendered without the head: why")
    assert render_panel.state_line(scene, head) == (
        "Last render: frame 3 was rendered without the head: why",
        "ERROR",
    )
    bpy.ops.egstalker.remove_renderable()
    assert line().startswith("Off")
    assert "egstalker.make_renderable" in drawn(panel)


@pytest.mark.skipif(SUPPORTED, reason="this Blender renders splats")
def test_an_older_blender_says_why(head: Any) -> None:
    with pytest.raises(RuntimeError, match=r"5\.3"):
        bpy.ops.egstalker.add_material()
