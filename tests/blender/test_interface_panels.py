"""The contents of the panels, drawn with a layout that records every call."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import preferences, preferences_panel
from egstalker.egstalker_blender.export import panel as export_panel
from egstalker.egstalker_blender.jobs.job import State
from egstalker.egstalker_blender.panels import menus, object_properties, sidebar
from egstalker.egstalker_blender.render import panel as render_panel
from egstalker.egstalker_blender.setup_worker import draw as worker_draw
from egstalker.egstalker_blender.setup_worker import session as worker_session
from egstalker.egstalker_blender.setup_worker.check import Check

PANELS = (
    *sidebar.CLASSES,
    *object_properties.CLASSES,
    *render_panel.CLASSES,
    *export_panel.CLASSES,
)


class Layout:
    """Every part of it writes into one list; names are checked as Blender would."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def column(self, **_: Any) -> Layout:
        return self

    row = box = split = column

    def separator(self, **_: Any) -> None:
        pass

    def label(self, text: str = "", icon: str = "NONE", translate: bool = True) -> None:
        assert icon in ICONS
        self.seen.append(text)

    def prop(self, owner: Any, name: str, icon: str = "NONE", **_: Any) -> None:
        assert name in owner.bl_rna.properties and icon in ICONS
        self.seen.append(name)

    def prop_search(
        self, owner: Any, name: str, where: Any, items: str, icon: str = "NONE"
    ) -> None:
        assert items in where.bl_rna.properties
        self.prop(owner, name, icon)

    def operator(self, idname: str, text: str = "", icon: str = "NONE") -> Any:
        category, name = idname.split(".")
        getattr(getattr(bpy.ops, category), name).get_rna_type()
        assert icon in ICONS
        self.seen.append(idname)
        return SimpleNamespace()

    def menu(self, name: str, **_: Any) -> None:
        assert hasattr(bpy.types, name)

    def progress(self, factor: float, type: str, text: str) -> None:
        assert 0 <= factor <= 1
        self.seen.append(text)


ICONS = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()


def context() -> Any:
    return SimpleNamespace(
        object=bpy.context.object,
        scene=bpy.context.scene,
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0)),  # 0 without a window
        region=SimpleNamespace(width=280),
        mode="OBJECT",
    )


def drawn(panel: Any) -> list[str]:
    instance = SimpleNamespace(layout=Layout([]))
    for name in ("draw_part",):
        if hasattr(panel, name):
            setattr(instance, name, lambda *a: panel.draw_part(instance, *a))
    panel.draw(instance, context())
    return instance.layout.seen


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_draws(head: Any, panel: Any) -> None:
    assert panel.poll(context()) if hasattr(panel, "poll") else True
    assert drawn(panel)
    props = head.egstalker
    props.sound_source, props.size_source, props.range_source = "FILE", "OWN", "OWN"
    props.eye_source, props.pose_source = "BLINK", "object"
    head.egstalker_display.mode = "MOTION"
    assert drawn(panel)


@pytest.mark.parametrize("panel", PANELS)
def test_without_an_avatar(scene: Any, panel: Any) -> None:
    if panel is sidebar.EGSTALKER_PT_avatar:
        assert "egstalker.add_talking_head" in drawn(panel)
    else:
        assert not panel.poll(context())


def test_every_setting_is_somewhere_in_the_properties_editor(head: Any) -> None:
    seen: set[str] = set()
    props = head.egstalker
    bpy.data.scenes.new("Edit")  # whose sequencer can be chosen
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.update()
    props.pose_object, props.pose_bone = armature, "missing"
    for eyes, pose, sound in (
        ("MANUAL", "object", "STRIP"),
        ("BLINK", "keys", "FILE"),
        ("BLINK", "track", "CHANNEL"),
    ):
        props.eye_source, props.pose_source, props.sound_source = eyes, pose, sound
        props.size_source = props.range_source = "OWN"
        head.egstalker_display.mode = "MOTION"
        for panel in object_properties.CLASSES:
            seen |= set(drawn(panel))
    hidden = {"rna_type", "name", "content_hash"}
    for group in (props, head.egstalker_display):
        names = {p.identifier for p in group.bl_rna.properties if not p.is_hidden}
        assert names - seen <= hidden


def test_a_file_that_is_gone_or_changed_offers_what_helps(head: Any, tmp_path: Path) -> None:
    head.egstalker.avatar_path = str(tmp_path / "gone.egs")
    text = " ".join(drawn(sidebar.EGSTALKER_PT_avatar))
    assert "is not there" in text and "egstalker.accept_avatar" not in text
    (tmp_path / "gone.egs").write_bytes(b"another")
    text = " ".join(drawn(sidebar.EGSTALKER_PT_avatar))
    assert "has changed" in text and "egstalker.accept_avatar" in text


def test_why_a_bake_cannot_start_is_in_the_panel(head: Any) -> None:
    head.egstalker.camera_source = "scene"
    assert "The scene has no camera" in drawn(sidebar.EGSTALKER_PT_bake)


def test_our_menu_entries(scene: Any) -> None:
    for name, draw in menus.ENTRIES:
        functions = getattr(bpy.types, name)._dyn_ui_initialize()
        assert [f for f in functions if f.__module__.startswith("egstalker.")] == [draw]
        layout = Layout([])
        draw(SimpleNamespace(layout=layout), context())
        assert layout.seen


@pytest.mark.parametrize("kind", ["running", "done", "failed", "stopped"])
def test_the_worker_in_the_preferences(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mine = worker_session.WorkerSession()
    mine.state = State(kind, "Installing: downloading numba (3.8 MB)", 75.0, factor=0.4)
    monkeypatch.setattr(worker_session, "_session", mine)
    layout = Layout([])
    worker_draw.draw_worker(layout, context())
    assert ("egstalker.worker_cancel" in layout.seen) == (kind == "running")
    assert any("downloading numba" in text for text in layout.seen)
    assert ("1:15" in " ".join(layout.seen)) == (kind == "running")


@pytest.mark.parametrize("fault", ["", "python does not run as Python; choose another"])
def test_what_a_check_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str) -> None:
    from egstalker.core.engine.process import WorkerReport
    from egstalker.core.errors import WorkerError

    def ask(*_: Any) -> WorkerReport:
        if fault:
            raise WorkerError(fault)
        return WorkerReport("3.12.1", "gsplat", "NVIDIA H100", {"torch": "2.13.0"})

    mine = worker_session.WorkerSession()
    mine.check = Check(tmp_path / "python", tmp_path / "log", ask=ask)
    mine.check.wait()
    monkeypatch.setattr(worker_session, "_session", mine)
    layout = Layout([])
    worker_draw.draw_worker(layout, context())
    text = " ".join(layout.seen)
    assert fault in text
    assert ("Python 3.12.1: gsplat on NVIDIA H100 torch 2.13.0" in text) == (not fault)


def test_the_preferences_draw_all_of_theirs() -> None:
    cls = preferences_panel.EGSTALKER_AP_preferences
    names = {p.identifier for p in cls.bl_rna.properties} - {"rna_type", "bl_idname", "module"}
    layout = Layout([])
    cls.draw(SimpleNamespace(layout=layout, bl_rna=cls.bl_rna), context())
    assert names <= set(layout.seen)
    assert all(cls.bl_rna.properties[name].description for name in names)


def test_defaults_of_the_budget(scene: Any) -> None:
    assert preferences.cache_budget() == preferences.CacheBudget(1024, 4096, None)
    assert preferences.backend() == "auto"
