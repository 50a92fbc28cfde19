"""The steps of `make window` and `make screenshots` as far as they work without a real window."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.blender import ROOT, clean_environment, python_here

PROGRAM = """
import sys
from pathlib import Path
import bpy, numpy as np
from window import driver, picture, safety, talking, tour

session = driver.Session(Path(sys.argv[1]), None)
assert len(safety.STEPS) > 10 and len(tour.STEPS) > 5
assert session.call(bpy.ops.mesh.primitive_cube_add, size=2) == {"FINISHED"}
cube = bpy.context.object
bpy.ops.object.select_all(action="DESELECT")
talking.select(cube)
assert cube.select_get() and bpy.context.view_layer.objects.active == cube
pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
image = bpy.data.images.new("test", 4, 2)
flat = np.ones((2, 4, 4), np.float32)
flat[:, :, :3] = pixels[::-1] / 255
image.pixels.foreach_set(flat.ravel())
image.filepath_raw, image.file_format = str(session.out / "a.png"), "PNG"
image.save()
assert (picture.read(session.out / "a.png") == pixels).all()
print("done", flush=True)
"""


def test_steps_import_and_their_helpers_work(tmp_path: Path) -> None:
    done = subprocess.run(
        python_here("-c", PROGRAM, tmp_path),
        cwd=ROOT / ".ci",
        env=clean_environment(tmp_path / "profile"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "done" in done.stdout, done.stdout + done.stderr
