"""A training ends with Blender, however Blender ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from egstalker.egstalker_blender import preferences

from tests.support.blender import ROOT, clean_environment, python_here
from tests.support.blender_training import LONG, fake_python
from tests.support.waiting import LIMIT, alive, until

ENDS = """
import os, runpy, sys
import bpy
package = runpy.run_path(sys.argv[1])["load_extension"]()
from egstalker.egstalker_blender.training import gather, picture, session
clip, output, way = sys.argv[2:]
props = bpy.context.scene.egstalker_training
props.dataset, props.output = clip, output
mine = session.session()
mine.begin(gather.settings_of(bpy.context))
while mine.news.preview is None:
    mine.tick()
picture.show(mine.news.preview)
assert picture.size() == (32, 32)
print("PID", mine.job.pid, flush=True)
if way == "exit":
    sys.exit(0)
if way == "unregister":
    package.unregister()
    print("GONE", flush=True)
    os._exit(0)
sys.stdin.read()  # until it is killed
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("way", ["exit", "unregister", "kill"])
def test_it_ends_with_blender(tmp_path: Path, avatar_path: Path, way: str) -> None:
    python = fake_python(tmp_path / "python", avatar_path, **LONG)
    (tmp_path / "clip").mkdir()
    process = subprocess.Popen(
        python_here(
            "-c",
            ENDS,
            ROOT / "egstalker_blender" / "batch.py",
            tmp_path / "clip",
            tmp_path / "head.egs",
            way,
        ),
        env=clean_environment(
            tmp_path / "profile",
            XDG_CACHE_HOME=str(tmp_path / "cache"),
            **{preferences.WORKER_PYTHON_VARIABLE: str(python)},
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = next((line for line in process.stdout if line.startswith("PID")), "")
        assert line, process.communicate()[1]
        pid = int(line.split()[1])
        if way == "kill":
            assert alive(pid)
            process.send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert "Traceback" not in errors and "Error" not in errors, errors
    until(lambda: not alive(pid))
    if way != "kill":  # asked to stop, it saved its state
        assert (tmp_path / "head.training" / "state.safetensors").is_file()
