"""Data that the draw handlers keep and free. `make window` tests that they draw."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import bpy
import egstalker
import numpy as np
import pytest
from egstalker.core.records.gaussians import activate
from egstalker.egstalker_blender.viewport import gather, handler, stage

from tests.support.synthetic import random_avatar


@pytest.fixture(autouse=True)
def _empty_stage() -> Any:
    stage.clear()
    yield
    stage.clear()


@pytest.fixture
def splats() -> Any:
    return activate(random_avatar(200, agents=40)[1])


def context_of(**more: Any) -> Any:
    space = SimpleNamespace(
        overlay=SimpleNamespace(show_overlays=True), shading=SimpleNamespace(type="SOLID")
    )
    return SimpleNamespace(
        scene=bpy.context.scene, view_layer=bpy.context.view_layer, space_data=space, **more
    )


def test_stage_counts_versions_and_keeps_marks(splats: Any) -> None:
    seen = stage.shown()
    stage.put(5, splats)
    first = seen[5].version
    stage.mark_stale(5)
    stage.mark_stale(6)
    assert seen[5].stale
    assert seen[5].version == first  # the same splats, so the same textures
    stage.put(5, splats)
    assert not seen[5].stale
    assert seen[5].version > first
    stage.remove(5)
    stage.remove(5)
    assert not seen
    with pytest.raises(TypeError):
        seen[5] = 1


def test_a_deleted_object_is_forgotten(head: Any, splats: Any) -> None:
    other = head.copy()
    bpy.context.scene.collection.objects.link(other)
    for obj in (head, other):
        stage.put(obj.session_uid, splats)
    bpy.context.view_layer.update()
    assert len(stage.shown()) == 2
    key = head.session_uid
    bpy.data.objects.remove(other)
    bpy.context.view_layer.update()
    assert list(stage.shown()) == [key]


def test_another_file_clears_the_stage(scene: Any, splats: Any) -> None:
    stage.put(1, splats)
    handler._session.failure = "broken"
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert not stage.shown()
    assert handler.failure() == ""


def test_handlers_go_with_the_extension() -> None:
    lists = (bpy.app.handlers.load_pre, bpy.app.handlers.depsgraph_update_post)
    before = [len(each) for each in lists]
    assert len(handler._session.handles) == 2
    stage.put(1, activate(random_avatar(20, agents=10)[1]))
    egstalker.unregister()
    assert not handler._session.handles
    assert not stage.shown()
    assert not hasattr(bpy.types.Object, "egstalker_display")
    assert not any(f.__module__.endswith("viewport.handler") for each in lists for f in each)
    egstalker.register()
    assert [len(each) for each in lists] == before


def test_a_failing_draw_is_logged_once(
    head: Any, splats: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = handler.Session()
    stage.put(head.session_uid, splats)
    tries: list[int] = []

    def fail(*_: Any) -> Any:
        tries.append(1)
        raise RuntimeError("no such GPU")

    monkeypatch.setattr(handler, "entries_of", fail)
    monkeypatch.setattr(handler, "visible", lambda objects, *_: objects)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            session.draw(context_of(preferences=bpy.context.preferences))
    assert len(tries) == 1
    assert len(caplog.records) == 1
    assert session.failure == "no such GPU"
    stage.remove(head.session_uid)  # too many splats, say, and the user deletes a head
    session.draw(context_of(preferences=bpy.context.preferences))
    assert session.failure == ""
    session.failure = "broken"
    session.forget()
    assert session.failure == ""


def test_only_what_the_view_shows(head: Any, splats: Any) -> None:
    layer, objects = bpy.context.view_layer, [head]
    stage.put(head.session_uid, splats)
    assert gather.known(layer, stage.shown()) == objects
    assert gather.visible(objects, layer, None) == objects
    head.hide_set(True)
    assert gather.visible(objects, layer, None) == []
    head.hide_set(False)
    head.hide_viewport = True
    assert gather.visible(objects, layer, None) == []
    head.hide_viewport = False
    collection = bpy.data.collections.new("away")
    bpy.context.scene.collection.children.link(collection)
    for each in list(head.users_collection):
        each.objects.unlink(head)
    collection.objects.link(head)
    assert gather.visible(objects, layer, None) == objects
    layer.layer_collection.children["away"].hide_viewport = True
    assert gather.visible(objects, layer, None) == []


def test_items_are_where_constraints_put_them(head: Any) -> None:
    aim = bpy.data.objects.new("aim", None)
    aim.location = (1, 2, 3)
    bpy.context.scene.collection.objects.link(aim)
    head.constraints.new("COPY_LOCATION").target = aim
    head.egstalker_display.mode = "MOTION"
    head.egstalker_display.sh_degree = 1
    bpy.context.view_layer.update()
    item = gather.items_of([head], bpy.context.evaluated_depsgraph_get())[0]
    assert item.world[:3, 3] == pytest.approx([1, 2, 3])
    assert (item.key, item.mode, item.sh_degree) == (head.session_uid, "MOTION", 1)


def test_motion_is_measured_from_the_canonical_head(head: Any, splats: Any) -> None:
    from egstalker.core.avatar.file import load_avatar

    stage.put(head.session_uid, splats)
    assert gather.entries_of(stage.shown(), [head])[0].rest is None
    head.egstalker_display.mode = "MOTION"
    rest = gather.entries_of(stage.shown(), [head])[0].rest
    means = load_avatar(head.egstalker.avatar_path).gaussians.means
    assert np.abs(rest - means).max() < 1e-5


@pytest.mark.parametrize(
    ("overlays", "shading", "tested"),
    [(True, "MATERIAL", True), (False, "SOLID", True), (False, "RENDERED", False)],
)
def test_depth_is_trusted_where_blender_fills_it(
    overlays: bool, shading: str, tested: bool
) -> None:
    context = context_of()
    context.space_data.overlay.show_overlays = overlays
    context.space_data.shading.type = shading
    assert handler.knows_meshes(context.space_data) is tested
