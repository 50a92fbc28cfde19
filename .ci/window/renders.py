"""Steps of the safety session that render, make a film and set keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import picture, talking
from .driver import Session, Step, Wait, check

SIDE = 96  # pixels of a render
RENDER_SECONDS = 120.0
FILM_SECONDS = 240.0


def render_layer_by_its_button(session: Session) -> Wait:
    """F12 in a window renders on another thread than the buttons run on."""
    scene = bpy.context.scene
    bpy.context.preferences.view.render_display_type = "NONE"
    session.call(bpy.ops.egstalker.add_training_camera)
    render = scene.render
    render.engine, render.film_transparent = "BLENDER_WORKBENCH", True
    render.resolution_x = render.resolution_y = SIDE
    yield from talking.go_to(session, 20)
    without = yield from _rendered(session, "without.png")
    check(not _covered(without), "no head without a render layer")
    result = session.call(bpy.ops.egstalker.add_render_layer, "INVOKE_DEFAULT")
    check(result == {"FINISHED"}, f"a render layer, not {result}")
    shown = yield from _rendered(session, "layer.png")
    check(_covered(shown) > 0.2, f"a head in the render, not {_covered(shown):.0%} of it")
    problem = session.module("egstalker_blender.render.failure").failure()
    check(not problem, f"a render without a failure, not: {problem}")
    saved = lambda: not any(image.is_dirty for image in bpy.data.images)  # noqa: E731
    yield from session.wait(saved, 20, "no image to save after a render")
    result = session.call(bpy.ops.egstalker.remove_render_layer, "INVOKE_DEFAULT")
    check(result == {"FINISHED"}, f"no render layer any more, not {result}")
    yield from talking.wait_for_head(session)


def bake_a_video_and_replace_it(session: Session) -> Wait:
    """Driven by features, which nobody hears: some builds of Blender mix no sound. Esc keeps the
    film, Return replaces it."""
    obj, folder = talking.avatar(), session.out / "film"
    folder.mkdir(exist_ok=True)
    film = folder / "film.mp4"
    film.unlink(missing_ok=True)
    talking.set_bake(obj, folder / "frames", 3)
    settings = obj.egstalker
    settings.sound_file, settings.sound_source = str(_features(session, folder.parent)), "FILE"
    settings.video_path, settings.keep_frames = str(film), False
    yield from session.redraw()
    _press_bake_video(session)
    yield from session.wait(lambda: film.exists(), FILM_SECONDS, "a film")
    yield from session.wait(lambda: not _is_baking(session), 10, "the end of the bake")
    film.write_bytes(b"an older film")
    for key, replaced in (("ESC", False), ("RET", True)):
        _press_bake_video(session)
        yield 1.0
        check(not _is_baking(session), "a question before the film is replaced")
        yield from session.press_over(key)
        if replaced:
            larger = lambda: film.stat().st_size > 100  # noqa: E731
            yield from session.wait(larger, FILM_SECONDS, "a new film")
            yield from session.wait(lambda: not _is_baking(session), 10, "the end of the bake")
        else:
            yield 2.0
            check(film.read_bytes() == b"an older film", "the film that was there")
            check(not _is_baking(session), "no bake after Esc")
    others = [path.name for path in folder.iterdir() if path != film]
    check(not others, f"nothing but the film, not {others}")
    settings.sound_source, settings.video_path = "STRIP", ""
    yield from talking.wait_for_head(session)


def set_keys_and_play_them(session: Session) -> Wait:
    """A keyed control is exact at each frame, and undo takes the keys away."""
    obj = talking.avatar()
    name = obj.name
    settings = obj.egstalker
    bpy.ops.ed.undo_push(message="before the keys")
    for frame, value in ((10, 0.0), (30, 1.0)):
        settings.strength = value
        settings.keyframe_insert("strength", frame=frame)
    bpy.ops.ed.undo_push(message="keys")
    for frame, low, high in ((10, -0.01, 0.01), (20, 0.4, 0.6), (30, 0.99, 1.01)):
        yield from talking.go_to(session, frame)
        yield from talking.wait_for_head(session)
        value = talking.avatar().egstalker.strength
        check(low <= value <= high, f"a strength of {low:g} to {high:g} at {frame}, not {value:g}")
    session.call(bpy.ops.ed.undo)
    yield from session.redraw()
    obj = bpy.data.objects[name]
    check(obj.animation_data is None or obj.animation_data.action is None, "no keys after undo")
    yield from talking.wait_for_head(session)


def _features(session: Session, folder: Path) -> Path:
    """A file of sound features for the avatar, all zero."""
    avatar = session.module("core.avatar.file").load_avatar(Path(session.asset("demo.egs")))
    path = folder / "features.npy"
    np.save(path, np.zeros((8, avatar.features.window, avatar.features.dim), np.float32))
    return path


def _press_bake_video(session: Session) -> None:
    result = session.call(bpy.ops.egstalker.bake_video, "INVOKE_DEFAULT")
    check(result == {"RUNNING_MODAL"}, f"a bake or a question, not {result}")


def _is_baking(session: Session) -> bool:
    running = session.window.modal_operators
    return any(operator.bl_idname == "EGSTALKER_OT_bake_video" for operator in running)


def _rendered(session: Session, name: str) -> Any:
    """The pixels of a render as the user starts it."""
    path = session.out / name
    path.unlink(missing_ok=True)
    scene = bpy.context.scene
    scene.render.filepath = str(path)
    session.call(bpy.ops.render.render, "INVOKE_DEFAULT", write_still=True)
    yield 0.5
    done = lambda: path.exists() and not bpy.app.is_job_running("RENDER")  # noqa: E731
    yield from session.wait(done, RENDER_SECONDS, "a render")
    return picture.read(path)


def _covered(pixels: Any) -> float:
    """The share of the picture that is not black; transparent film is."""
    return float(np.mean(pixels.max(axis=2) > 10))


STEPS: tuple[Step, ...] = (
    render_layer_by_its_button,
    bake_a_video_and_replace_it,
    set_keys_and_play_them,
)
