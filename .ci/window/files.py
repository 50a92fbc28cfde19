"""Steps of the safety session that change the open file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from . import talking
from .driver import Session, Wait, check


def saved(session: Session) -> Path:
    return session.out / "session.blend"


def save_reload_and_revert(session: Session) -> Wait:
    path = str(saved(session))
    bpy.ops.wm.save_as_mainfile(filepath=path)
    yield from session.redraw()
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    yield from talking.wait_for_head(session)
    talking.avatar().location.x = 3.0
    bpy.ops.wm.revert_mainfile()
    yield 1.0
    check(talking.avatar().location.x == 0.0, "the head back in its place")
    yield from talking.wait_for_head(session)


def append_into_a_new_file(session: Session) -> Wait:
    path, head = str(saved(session)), talking.avatar().name
    for link in (False, True):
        bpy.ops.wm.read_homefile()
        yield 1.0
        check(not talking.stage(session).shown(), "no splats in a new file")
        with bpy.data.libraries.load(path, link=link) as (source, target):
            target.objects = [name for name in source.objects if name == head]
        obj = target.objects[0]
        check(obj is not None, "the head in the library")
        bpy.context.scene.collection.objects.link(obj)
        yield from talking.go_to(session, 12)
        yield from _rests_and_says_why(session, obj)


def _rests_and_says_why(session: Session, obj: Any) -> Wait:
    """Without its strip the head is shown at rest, and the panel says what is missing."""
    status = session.module("egstalker_blender.timeline.status")
    shown = talking.stage(session).shown
    key = obj.session_uid

    def problems() -> list[str]:
        return list(status.problems(bpy.context.scene, obj))

    yield from session.wait(lambda: key in shown(), 20, "a head at rest")
    yield from session.wait(problems, 20, "a reason")
    check("strip" in problems()[0], f"the strip, not {problems()}")


def open_the_saved_file_again(session: Session) -> Wait:
    bpy.ops.wm.open_mainfile(filepath=str(saved(session)))
    yield 1.0
    talking.select(talking.avatar())
    yield from talking.wait_for_head(session)
