"""The Train panel in a window: a fake training, from the button to the import of its avatar."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import picture, sidebar
from .driver import EXTENSION, Session, Wait, check

FAKE = Path(__file__).resolve().parents[2] / "tests" / "support" / "training_fake.py"
PREVIEWS = "training"  # a folder of pictures that docs/ does not need
STEPS = 60  # of each stage
PAUSE = 0.15  # seconds between two, and for Blender to draw


def fake_python(folder: Path, session: Session, steps: int) -> Path:
    """A program that takes the arguments of the worker's Python and runs
    tests/support/training_fake.py. Its previews are in the folder `pictures`."""
    values = {
        "AVATAR": session.asset("demo.egs"),
        "PICTURES": folder / "pictures",
        "STEPS": steps,
        "PAUSE": PAUSE,
    }
    lines = [f"export EGS_FAKE_{name}='{value}'" for name, value in values.items()]
    path = folder / "python"
    path.write_text("\n".join(["#!/bin/sh", *lines, f"exec '{sys.executable}' '{FAKE}' \"$@\"\n"]))
    path.chmod(0o755)
    return path


def train(session: Session) -> Wait:
    """From an empty scene to an imported avatar, with a stop and a resume on the way."""
    folder = Path(bpy.app.tempdir)
    (session.out / PREVIEWS).mkdir(exist_ok=True)
    (folder / "pictures").mkdir()
    yield from make_previews(session, folder / "pictures")
    area = session.area()
    area.spaces.active.show_region_ui = True
    yield from session.redraw()
    yield from sidebar.open_tab(session)
    region = session.region(area, "UI")
    panel = session.module("egstalker_blender.training.panel").EGSTALKER_PT_train
    with sidebar.opened(panel):
        yield from session.save(f"{PREVIEWS}/off.png", region)
        preferences = set_up(session, folder)
        yield from session.save(f"{PREVIEWS}/idle.png", region)
        yield from _run(session, region)
        preferences.worker_python = ""
    bpy.ops.wm.read_homefile()  # the next steps start from the startup file
    yield 1.0


def train_on(session: Session) -> Wait:
    """Start a training that goes on while another file opens, and still runs when Blender quits."""
    folder = Path(bpy.app.tempdir) / "training"
    folder.mkdir()
    blend = folder / "training.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True)
    preferences = set_up(session, folder, 100 * STEPS)
    training = session.module("egstalker_blender.training.session").session()
    _press("train", session)
    preferences.worker_python = ""
    yield from session.wait(lambda: _step(training) >= 2, 30, "two steps of a training")
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    yield PAUSE
    step = _step(training)
    yield from session.wait(lambda: _step(training) > step, 30, "a training that goes on")
    check(training.running, "a training that another file leaves alone")


def set_up(session: Session, folder: Path, steps: int = STEPS) -> Any:
    """Set up a training with the fake worker; returns the preferences."""
    (folder / "clip").mkdir()
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.worker_python = str(fake_python(folder, session, steps))
    props = bpy.context.scene.egstalker_training
    props.dataset, props.output = str(folder / "clip"), str(folder / "head.egs")
    props.minutes = 5
    bpy.ops.ed.undo_push(message="settings")
    return preferences


def make_previews(session: Session, folder: Path) -> Wait:
    """Preview pictures as a training writes them, of the bundled avatar."""
    session.call(bpy.ops.egstalker.add_talking_head)
    obj = bpy.context.object
    settings = obj.egstalker
    settings.camera_source, settings.size_source = "training", "OWN"
    settings.width = settings.height = 256
    settings.range_source, settings.frame_start, settings.frame_end = "OWN", 20, 23
    frames = folder.parent / "frames"
    settings.output_path = str(frames)
    session.call(bpy.ops.egstalker.bake, "EXEC_DEFAULT")
    yield 0.5
    pixels = [picture.read(path) for path in sorted(frames.glob("*.png"))]
    for number in range(len(pixels)):  # two rendered frames above two for the ground truth
        row = np.concatenate([pixels[number], pixels[number - 1]], axis=1)
        strip = np.concatenate([row, row])
        session.module("core.images.png").write_png(folder / f"{number}.png", strip)
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)


def _run(session: Session, region: Any) -> Wait:
    training = session.module("egstalker_blender.training.session").session()
    _press("train", session)
    yield from session.wait(lambda: _step(training) >= STEPS // 2, 60, "half of the first stage")
    yield 1.0
    yield from session.save("train.png", region)
    bpy.ops.ed.undo_push(message="during the training")
    bpy.ops.ed.undo()
    check(training.running, "a training that an undo leaves alone")
    _press("train_stop", session)
    yield from session.wait(lambda: not training.running, 20, "a training that stops")
    yield from session.save(f"{PREVIEWS}/stopped.png", region)
    _press("train_resume", session)
    yield from session.wait(lambda: not training.running, 90, "the end of the training")
    yield from session.wait(lambda: training.result is None, 10, "the import of its result")
    yield from session.save(f"{PREVIEWS}/done.png", region)
    names = [obj.name for obj in bpy.data.objects if obj.egstalker.avatar_path]
    check(len(names) == 1, f"one imported avatar, not {names}")


def _press(name: str, session: Session) -> None:
    result = session.call(getattr(bpy.ops.egstalker, name), "INVOKE_DEFAULT")
    check(result == {"FINISHED"}, f"egstalker.{name} that finishes, not {result}")


def _step(training: Any) -> int:
    progress = training.news.progress
    return progress.done if progress is not None else 0
