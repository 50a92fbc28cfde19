"""What an animator's session must survive. The steps run in this order in one Blender."""

from __future__ import annotations

from functools import partial

import addon_utils
import bpy

from . import bakes, exports, files, heads, renders, talking, training
from .driver import EXTENSION, PAUSE, Session, Step, Wait, check

PLAY_SECONDS = 3.0
SCRUB = (60, 12, 13, 14, 90, 1, 33, 77, 5)
BLOCK_MILLISECONDS = 50.0  # what a change of the frame may take of Blender's time
TOGGLES = 20


def import_the_demo_and_link_its_speech(session: Session) -> Wait:
    yield from talking.load_demo(session)
    yield from talking.frame_view(session)
    yield from talking.wait_for_head(session)


def play(session: Session) -> Wait:
    scene = bpy.context.scene
    scene.sync_mode = "AUDIO_SYNC"
    before = scene.frame_current
    session.call(bpy.ops.screen.animation_play)
    yield PLAY_SECONDS
    check(session.window.screen.is_animation_playing, "a screen that plays")
    session.call(bpy.ops.screen.animation_cancel, restore_frame=False)
    check(scene.frame_current != before, "another frame after playing")
    yield from talking.wait_for_head(session)


def scrub(session: Session) -> Wait:
    """The newest position is shown, and no change of the frame blocks Blender."""
    scene = bpy.context.scene
    longest = 0.0
    for frame in SCRUB:
        longest = max(longest, talking.timed(lambda frame=frame: scene.frame_set(frame)))
        yield PAUSE / 4
    session.measures["frame change, longest, ms"] = longest
    yield from talking.wait_for_head(session)
    check(longest < BLOCK_MILLISECONDS, f"frame changes below 50 ms, not {longest:.0f} ms")


def undo_and_redo(session: Session) -> Wait:
    obj = talking.avatar()
    name = obj.name
    with session.over():
        bpy.ops.ed.undo_push(message="before")
        bpy.ops.transform.translate(value=(1.0, 0.0, 0.0))
        bpy.ops.ed.undo_push(message="moved")
    yield from session.redraw()
    for operator, place in ((bpy.ops.ed.undo, 0.0), (bpy.ops.ed.redo, 1.0), (bpy.ops.ed.undo, 0.0)):
        session.call(operator)
        yield from session.redraw()
        x = bpy.data.objects[name].location.x
        check(abs(x - place) < 1e-4, f"the head at x = {place}, not {x}")
    yield from talking.wait_for_head(session)


def duplicate_rename_and_delete(session: Session) -> Wait:
    obj = talking.avatar()
    with session.over():
        bpy.ops.object.select_all(action="DESELECT")
        talking.select(obj)
        bpy.ops.object.duplicate(linked=True)
    copy = bpy.context.view_layer.objects.active
    check(copy != obj and copy.data == obj.data, "a copy that shares the data")
    copy.name, copy.location.x = "Second Head", 0.4
    yield from talking.wait_for_head(session, copy)
    key = copy.session_uid
    with session.over():
        bpy.ops.object.select_all(action="DESELECT")
        copy.select_set(True)
        bpy.ops.object.delete()
    yield from talking.go_to(session, 20)
    shown = talking.stage(session).shown
    yield from session.wait(lambda: key not in shown(), 5, "splats of a deleted head gone")
    talking.select(obj)


def quad_camera_and_local_view(session: Session) -> Wait:
    localview = partial(bpy.ops.view3d.localview, frame_selected=False)
    for operator in (bpy.ops.screen.region_quadview, bpy.ops.view3d.view_camera, localview):
        for _ in range(2):
            session.call(operator)
            yield from session.redraw()


def hide_and_show(session: Session) -> Wait:
    obj = talking.avatar()
    layer = bpy.context.view_layer.layer_collection.children[0]
    for hidden in (True, False):
        obj.hide_set(hidden)
        yield from session.redraw()
    for excluded in (True, False):
        layer.exclude = excluded
        yield from session.redraw()
    talking.select(obj)
    yield from talking.wait_for_head(session)


def several_windows(session: Session) -> Wait:
    manager = bpy.context.window_manager
    session.call(bpy.ops.wm.window_new)
    yield 1.0
    check(len(manager.windows) == 2, f"two windows, not {len(manager.windows)}")
    for frame in (30, 31, 32):
        yield from talking.go_to(session, frame)
    with bpy.context.temp_override(window=manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield 1.0
    check(len(manager.windows) == 1, f"one window, not {len(manager.windows)}")


def another_scene_and_back(session: Session) -> Wait:
    first = session.window.scene
    session.call(bpy.ops.scene.new, type="EMPTY")
    second = session.window.scene
    check(second != first, "a new scene in the window")
    yield from talking.go_to(session, 10)
    session.window.scene = first
    yield from session.redraw()
    bpy.data.scenes.remove(second)
    yield from talking.go_to(session, 11)
    yield from talking.wait_for_head(session)


def disable_and_enable(session: Session) -> Wait:
    for _ in range(TOGGLES):
        addon_utils.disable(EXTENSION, default_set=True)
        yield PAUSE / 4
        addon_utils.enable(EXTENSION, default_set=True)
        yield PAUSE / 4
    check(addon_utils.check(EXTENSION)[1], "an extension that is enabled")
    yield from talking.go_to(session, 15)
    yield from talking.wait_for_head(session)


STEPS: list[Step] = [
    import_the_demo_and_link_its_speech,
    *heads.STEPS,
    play,
    scrub,
    undo_and_redo,
    duplicate_rename_and_delete,
    quad_camera_and_local_view,
    hide_and_show,
    several_windows,
    another_scene_and_back,
    files.save_reload_and_revert,
    files.append_into_a_new_file,
    files.open_the_saved_file_again,
    bakes.bake_while_playing_and_stop_by_esc,
    bakes.bake_again_to_the_end,
    bakes.open_a_file_during_a_bake,
    *renders.STEPS,
    *exports.STEPS,
    disable_and_enable,
    training.train_on,
    bakes.quit_during_a_bake,  # the last: the driver quits while it runs
]
