"""Real drops of files, and conversions that run under a modal operator."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender.avatars import checkpoint

from core.avatar.file import load_avatar
from core.formats.ply_writer import write_ply
from tests.support.blender import make_avatar

TIMER, ESC, MOUSE = (SimpleNamespace(type=kind) for kind in ("TIMER", "ESC", "MOUSEMOVE"))


def drop(kind: str, folder: Path, *names: str) -> None:
    """As Blender does when files are let go over an area of that kind."""
    screen = bpy.data.screens["Layout"]
    area = next(area for area in screen.areas if area.type == kind)
    with bpy.context.temp_override(screen=screen, area=area):
        bpy.ops.wm.drop_import_file(directory=str(folder), files=[{"name": n} for n in names])


@pytest.fixture
def folder(scene: Any, tmp_path: Path) -> Path:
    bpy.ops.wm.read_factory_settings()  # with screens
    bpy.data.batch_remove(list(bpy.data.objects))
    for name in ("one.egs", "two.egs"):
        make_avatar(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("names", [("one.egs",), ("one.egs", "two.egs")])
def test_dropped_on_the_viewport(folder: Path, names: tuple[str, ...]) -> None:
    drop("VIEW_3D", folder, *names)
    paths = {Path(obj.egstalker.avatar_path).name for obj in bpy.context.scene.objects}
    assert paths == set(names)


class Window:
    """As much of a window manager as the operator touches."""

    def __init__(self) -> None:
        self.timers = 0
        self.text: str | None = None

    def event_timer_add(self, step: float, window: Any) -> str:
        self.timers += 1
        return "timer"

    def event_timer_remove(self, timer: str) -> None:
        self.timers -= 1

    def modal_handler_add(self, operator: Any) -> None:
        pass

    def status_text_set(self, text: str | None) -> None:
        self.text = text


class Operator:
    """The operator's own functions without Blender's event loop, which does not run here."""

    directory, dataset = "", ""
    axes = unit = "auto"
    files: tuple[Any, ...] = ()
    _conversion = _timer = None

    def __init__(self, filepath: Path) -> None:
        self.filepath = str(filepath)
        self.reports: list[str] = []

    def report(self, kind: set[str], text: str) -> None:
        self.reports.append(text)


NAMES = "invoke execute modal cancel _begin _step _next _finish _result _end"
for _name in NAMES.split():
    setattr(Operator, _name, getattr(checkpoint.EGSTALKER_OT_import_checkpoint, _name))


@pytest.fixture
def window(scene: Any) -> Any:
    manager = Window()
    return SimpleNamespace(
        window=None,
        window_manager=manager,
        workspace=manager,
        collection=bpy.context.collection,
        selected_objects=[],
        view_layer=bpy.context.view_layer,
    )


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    path = tmp_path / "head.ply"
    write_ply(load_avatar(make_avatar(tmp_path / "a.egs")).gaussians, path)
    return path


def test_a_dropped_cloud_is_converted_while_blender_draws(window: Any, cloud: Path) -> None:
    operator: Any = Operator(cloud)
    assert operator.invoke(window, MOUSE) == {"RUNNING_MODAL"}
    assert operator.modal(window, MOUSE) == {"PASS_THROUGH"}
    assert not bpy.data.objects
    assert operator.modal(window, TIMER) == {"RUNNING_MODAL"}
    assert "Esc stops" in window.window_manager.text
    assert operator.modal(window, TIMER) == {"FINISHED"}
    assert (window.window_manager.timers, window.window_manager.text) == (0, None)
    assert f"saved as {cloud.with_suffix('.egs')}" in operator.reports[0]
    assert [obj.name for obj in bpy.context.scene.objects] == ["head"]


def test_esc_stops_the_conversion(window: Any, cloud: Path) -> None:
    operator: Any = Operator(cloud)
    operator.invoke(window, MOUSE)
    assert operator.modal(window, ESC) == {"CANCELLED"}
    assert (window.window_manager.timers, window.window_manager.text) == (0, None)
    assert sorted(path.name for path in cloud.parent.iterdir()) == ["a.egs", "head.ply"]
    operator.cancel(window)  # Blender may still call it
    assert window.window_manager.timers == 0


def test_a_cloud_that_is_none_ends_it_with_a_reason(window: Any, tmp_path: Path) -> None:
    operator: Any = Operator(tmp_path / "gone.ply")
    operator.invoke(window, MOUSE)
    operator.modal(window, TIMER)
    assert operator.modal(window, TIMER) == {"CANCELLED"}
    assert len(operator.reports) == 1 and "gone.ply" in operator.reports[0]
