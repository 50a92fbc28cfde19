"""`--check`: everything that a bake needs, tried before the first frame."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from ...core.avatar.file import load_avatar
from ...core.commands.console import Console
from ...core.errors import AudioError, EgsError, FeatureMismatchError, InputError
from ...core.farm.check import (
    Check,
    check_output,
    check_space,
    existing,
    exit_code,
    failure,
)
from ...core.farm.frames import frames_text
from ...core.records.job import BakeJob
from ...core.system.machine import available_cores
from ...core.system.program import NAME, version
from .. import engines, preferences
from ..blocks import file_of
from ..gather import bake_job
from ..requested import ready_heads, settings_of

SOUND_ERRORS = (AudioError, FeatureMismatchError)


def run_check(args: argparse.Namespace, console: Console, out: Path) -> int:
    """Exit code: 0 if every check passed."""
    checks = list(all_checks(args, out))
    code = exit_code(checks)
    text = "\n".join(check.line for check in checks)
    found = [{"name": check.name, "state": check.state, "text": check.text} for check in checks]
    if not code:
        console.done(text, checks=found)
        return 0
    failed = [check for check in checks if check.code]
    message = "; ".join(f"{check.name}: {check.text}" for check in failed)
    console.failed(message, code, text, checks=found)
    return code


def all_checks(args: argparse.Namespace, out: Path) -> Iterator[Check]:
    yield Check("version", version_line())
    yield from _scene(args, out)
    yield from _engine(args)
    yield check_output(out)


def version_line() -> str:
    commit = bpy.app.build_hash.decode(errors="replace")
    return (
        f"{NAME} {version()}, Blender {bpy.app.version_string} ({commit}), Python "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{available_cores()} threads"
    )


def _scene(args: argparse.Namespace, out: Path) -> Iterator[Check]:
    context = bpy.context
    try:
        heads = ready_heads(context, args)
        settings = settings_of(context, args, heads, out)
    except EgsError as error:
        yield failure("scene", error)
        return
    yield Check("scene", bpy.data.filepath or "empty, no .blend is open")
    jobs = []
    for head, chosen in zip(heads, settings, strict=True):
        obj = head.obj
        yield _avatar(obj)
        try:
            jobs.append(bake_job(context, obj, chosen))
        except EgsError as error:
            yield failure("sound" if isinstance(error, SOUND_ERRORS) else "frames", error)
            continue
        yield Check("sound", f"{head.name!r}: {_sound(obj)}")
        yield Check("frames", _frames(jobs[-1]))
    if jobs:
        largest = max(
            (task.camera.width, task.camera.height) for job in jobs for task in job.frames
        )
        count = sum(len(job.frames) for job in jobs)
        yield check_space(existing(out), count, largest, jobs[0].file_format)


def _avatar(obj: Any) -> Check:
    path = file_of(obj.egstalker.avatar_block)
    try:
        avatar = load_avatar(path)
    except EgsError as error:
        return failure("avatar", error)
    given = obj.egstalker.content_hash
    text = f"{obj.name!r}: {path}, SHA-256 {avatar.content_hash}"
    if given != avatar.content_hash:
        text += f", but the scene has {given}; import the avatar again"
        return Check("avatar", text, InputError.exit_code)
    return Check("avatar", text)


def _sound(obj: Any) -> str:
    props = obj.egstalker
    if props.sound_source == "FILE":
        return props.sound_file or "none"
    return f"strip {props.sound_strip!r}" if props.sound_strip else props.sound_source.lower()


def _frames(job: BakeJob) -> str:
    camera = job.frames[0].camera
    text = frames_text([task.number for task in job.frames])
    return (
        f"{text}, {len(job.frames)} of {camera.width}x{camera.height} as {job.file_format} in "
        f"{job.directory}"
    )


def _engine(args: argparse.Namespace) -> Iterator[Check]:
    try:
        engine = engines.engine_for(args.engine, preferences.python_path(args.worker_python))
    except EgsError as error:
        yield failure("engine", error)
        return
    status = engine.status()
    # A worker that was asked for and is replaced by the slow engine is worth a look.
    yield Check("engine", status.line(), warning=bool(status.reason) and status.name == "builtin")
