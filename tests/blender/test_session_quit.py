"""Blender ends, is killed or has no disk space during a bake: no incomplete file, no leftovers."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import bake, engines

from tests.support.blender import (
    ROOT,
    clean_environment,
    job_of,
    names,
    python_here,
    read_png,
    voice,
    write_wav,
)

LIMIT = 120.0  # seconds for a process to end, on a busy machine

BAKES = """
import os, runpy, sys
import bpy
batch = runpy.run_path(sys.argv[1])
package = batch["load_extension"]()
from egstalker.egstalker_blender import bake, engines
from egstalker.egstalker_blender.gather import bake_job, read_settings
avatar, sound, out, engine, way = sys.argv[2:]
bpy.ops.egstalker.import_avatar(filepath=avatar)
obj = bpy.context.object
bpy.ops.egstalker.link_sound_file(filepath=sound)
obj.egstalker.output_path, bpy.context.scene.frame_end = out, 5000
job = bake_job(bpy.context, obj, read_settings(bpy.context.scene, obj))
from pathlib import Path
opened = engines.engine_for(engine, Path(sys.executable))
steps = bake.bake_frames(opened, job)
while next(steps).done < 2:
    pass
print("PID", getattr(opened, "pid", 0) or 0, flush=True)
if way == "exit":
    sys.exit(0)
if way == "unregister":
    package.unregister()
    sys.exit(0)
for _ in steps:
    pass
"""


def ends(pid: int) -> bool:
    """Wait until the process ends; it need not be a child. False where it runs on. Linux only."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], LIMIT)[0])
    finally:
        os.close(descriptor)


def start(
    tmp_path: Path, avatar_path: Path, engine: str, way: str
) -> tuple[subprocess.Popen[str], int]:
    """A Blender that bakes, and the process id of its worker (0 without one)."""
    sound = write_wav(tmp_path / "voice.wav", voice(1.0))
    (tmp_path / "temp").mkdir()
    process = subprocess.Popen(
        python_here(
            "-c",
            BAKES,
            ROOT / "egstalker_blender" / "batch.py",
            avatar_path,
            sound,
            tmp_path / "out",
            engine,
            way,
        ),
        env=clean_environment(tmp_path / "profile", TMPDIR=str(tmp_path / "temp")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("PID"):
            return process, int(line.split()[1])
    raise AssertionError(process.communicate()[1])


def left_in(tmp_path: Path) -> list[str]:
    """Names of the extension's temporary folders."""
    return [path.name for path in (tmp_path / "temp").iterdir() if "egstalker" in path.name]


def check_pictures(folder: Path) -> None:
    for path in folder.iterdir():
        assert path.suffix == ".png" and not path.name.startswith("."), path.name
        assert read_png(path).shape == (48, 56, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd_open")
@pytest.mark.parametrize("engine", ["builtin", "worker"])
@pytest.mark.parametrize("way", ["exit", "unregister"])
def test_blender_ends_during_a_bake(
    tmp_path: Path, avatar_path: Path, engine: str, way: str
) -> None:
    process, pid = start(tmp_path, avatar_path, engine, way)
    try:
        _, errors = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert (pid > 0) == (engine == "worker")
    assert "Traceback" not in errors and "Error" not in errors, errors
    assert pid == 0 or ends(pid)
    assert left_in(tmp_path) == []
    check_pictures(tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd_open")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_blender_is_killed_during_a_bake(tmp_path: Path, avatar_path: Path, number: int) -> None:
    """The worker ends, too, and deletes its temporary files."""
    process, pid = start(tmp_path, avatar_path, "worker", "go on")
    process.send_signal(number)
    process.communicate(timeout=LIMIT)
    assert ends(pid)
    assert left_in(tmp_path) == []
    check_pictures(tmp_path / "out")


@contextmanager
def file_limit(size: int, process: int = 0) -> Iterator[None]:
    """Like a full disk: no file can grow beyond `size` bytes."""
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits of another process")
@pytest.mark.parametrize("kind", ["builtin", "worker"])
def test_a_full_disk(head: Any, tmp_path: Path, kind: str) -> None:
    engine = engines.engine_for(kind, Path(sys.executable))
    head.egstalker.file_format = "exr"
    with (
        file_limit(1000, getattr(engine, "pid", 0) or 0),
        pytest.raises(RuntimeError, match=r"cannot be written"),
    ):
        bpy.ops.egstalker.bake(engine=kind, worker_python=sys.executable)
    assert names(tmp_path / "out") == []
    assert bpy.ops.egstalker.bake(engine=kind, worker_python=sys.executable) == {"FINISHED"}
    assert names(tmp_path / "out") == [f"frame_{n:04d}.exr" for n in (2, 3, 4)]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that is read-only")
@pytest.mark.parametrize("kind", ["builtin", "worker"])
def test_a_folder_that_is_read_only(head: Any, kind: str) -> None:
    head.egstalker.output_path = "/proc/frames"
    with pytest.raises(RuntimeError, match=r"/proc/frames cannot be created"):
        bpy.ops.egstalker.bake(engine=kind, worker_python=sys.executable)


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere; run as another user"
)
def test_a_folder_without_the_right_to_write(head: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(RuntimeError, match="is not writable"):
        bpy.ops.egstalker.bake()


def test_the_scene_changes_during_a_bake(head: Any, scene: Any, tmp_path: Path, fake: Any) -> None:
    """A job does not depend on the scene: not on playhead, head, or open file."""
    job = job_of(head)
    steps = bake.bake_frames(engines.engine_for("builtin"), job)
    next(steps)
    for frame in range(1, 6):
        scene.frame_set(frame)
    bpy.data.objects.remove(head)
    next(steps)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert [step.number for step in steps] == [3, 4]
    assert len(names(tmp_path / "out")) == 3


def test_cancelled_by_another_file(head: Any, tmp_path: Path, fake: Any) -> None:
    """Before Blender opens another file, it calls `cancel` of a modal operator, which closes the
    generator. Finished files stay."""
    steps = bake.bake_frames(engines.engine_for("builtin"), job_of(head))
    next(steps), next(steps)
    steps.close()
    assert names(tmp_path / "out") == ["frame_0002.png"]
