"""Clouds in rendered and material shading of the 3D view. Timers do not run without a window, so
the tests call what a timer would."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.avatar.file import load_avatar
from egstalker.core.records.gaussians import activate
from egstalker.egstalker_blender.render import cloud, native, native_handlers, native_view
from egstalker.egstalker_blender.render.native_group import modifier_of
from egstalker.egstalker_blender.viewport import handler, stage

from tests.support.blender_native import needs_splats, splats_of

pytestmark = needs_splats


def space(kind: str) -> Any:
    return SimpleNamespace(
        shading=SimpleNamespace(type=kind), overlay=SimpleNamespace(show_overlays=True)
    )


@pytest.fixture
def shown(head: Any, avatar_path: Path) -> Any:
    """The avatar on the stage."""
    stage.clear()
    stage.put(head.session_uid, activate(load_avatar(avatar_path).gaussians))
    yield head
    stage.clear()


def test_which_shading_draws_the_cloud(head: Any, scene: Any) -> None:
    def found() -> list[bool]:
        kinds = ("SOLID", "WIREFRAME", "MATERIAL", "RENDERED")
        return [native_view.draws(head, scene, space(kind)) for kind in kinds]

    scene.render.engine = "CYCLES"
    assert found() == [False, False, True, True]
    scene.render.engine = "BLENDER_WORKBENCH"
    assert found() == [False, False, True, False]
    modifier_of(head).show_viewport = False
    assert found() == [False] * 4
    bpy.ops.egstalker.remove_renderable()
    assert found() == [False] * 4


def test_the_cloud_follows_the_stage(shown: Any, avatar_path: Path) -> None:
    data = native.cloud_of(shown)
    native_view.refresh(shown)
    assert cloud.is_empty(data) and bpy.app.timers.is_registered(native_view.write_late)
    native_view.write_late()
    splats = activate(load_avatar(avatar_path).gaussians)
    assert np.array_equal(splats_of(data)["position"], splats.means)
    bpy.app.timers.unregister(native_view.write_late)
    native_view.refresh(shown)
    assert not bpy.app.timers.is_registered(native_view.write_late)
    for change in (
        lambda: stage.put(shown.session_uid, splats),
        native_handlers.empty_clouds,  # after a render, before a save
        native_view._forget,  # after undo
    ):
        change()
        native_view.refresh(shown)
        assert bpy.app.timers.is_registered(native_view.write_late)
        native_view.write_late()
        bpy.app.timers.unregister(native_view.write_late)
        assert not cloud.is_empty(data)


def test_a_hidden_modifier_costs_nothing(shown: Any) -> None:
    modifier_of(shown).show_viewport = False
    native_view.write_late()
    assert cloud.is_empty(native.cloud_of(shown))


def test_no_head_is_drawn_twice(shown: Any, scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    renderer = SimpleNamespace(
        update=lambda entries: None, draw=lambda view, items, *rest: drawn.append(len(items))
    )
    monkeypatch.setattr(handler._session, "renderer", renderer)
    monkeypatch.setattr(handler, "current_view", lambda: None)
    monkeypatch.setattr(handler, "visible", lambda objects, *rest: list(objects))
    monkeypatch.setattr(native_view, "refresh", lambda obj: drawn.append(-1))
    for kind, expected in (("SOLID", [1]), ("MATERIAL", [-1]), ("RENDERED", [-1])):
        drawn.clear()
        handler._session._draw(
            SimpleNamespace(
                view_layer=bpy.context.view_layer,
                space_data=space(kind),
                scene=scene,
                preferences=bpy.context.preferences,
            )
        )
        assert drawn == expected
