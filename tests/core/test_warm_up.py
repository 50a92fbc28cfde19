"""What is compiled ahead is what a frame needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.backends import backend_named
from core.network.deformer import splats_at
from core.plan import training_tasks
from core.render.plates import background_of
from tests.core.talking import small_avatar, sound

pytest.importorskip("numba", reason="needs numba")
from core.network import numba_layers
from core.render import numba_bin, numba_blend, numba_project

ROOT = Path(__file__).resolve().parents[2]
COMPILED = (
    numba_layers.deform_rows,
    numba_project.project_range,
    numba_bin.sort_by_depth,
    numba_bin.distribute,
    numba_blend.blend_row,
)


def test_nothing_is_left_to_compile_for_the_first_frame(tmp_path: Path) -> None:
    backend = backend_named("numba")
    backend.warm_up()
    before = [set(function.signatures) for function in COMPILED]
    assert all(before)
    avatar = small_avatar(tmp_path / "small.egs")
    task = training_tasks(avatar, [3])[0]
    splats = splats_at(backend.prepare(avatar), sound(), task.moment)
    assert avatar.plates is not None
    backend.rasterise(splats, task.camera, background_of(avatar.plates, task.camera))
    assert [set(function.signatures) for function in COMPILED] == before


NARROW = """
import sys
import numpy as np
from core.network.numba_network import prepare
from core.network.numba_tiles import WIDTH
from core.render.numba_blend import WIDTH as BLENDED
from core.render.tiles_numba import rasterise
from tests.core.render_scenes import background, camera, head
from tests.core.synthetic import random_avatar, random_pose, random_windows
assert (WIDTH, BLENDED) == (8, 8), "compiled for vectors of 16"
deformer = prepare(*random_avatar(100))
moved = deformer.deform_raw(deformer.encode_audio(random_windows()), 0.3, random_pose(), 1.0)
np.savez(sys.argv[1], sh=moved.sh, picture=rasterise(head(), camera(), background()))
"""


def test_vectors_of_eight_give_the_same_picture(tmp_path: Path) -> None:
    """The path of processors without AVX-512, whatever this one has."""
    from core.network.numpy_network import prepare
    from core.render import reference
    from tests.core.render_scenes import background, camera, decibels, head
    from tests.core.synthetic import random_avatar, random_pose, random_windows

    environ = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_OPT": "1",  # quicker to compile
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    out = tmp_path / "narrow.npz"
    subprocess.run([sys.executable, "-c", NARROW, str(out)], env=environ, check=True, timeout=120)
    deformer = prepare(*random_avatar(100))
    code = deformer.encode_audio(random_windows())
    expected = deformer.deform_raw(code, 0.3, random_pose(), 1.0)
    with np.load(out) as found:
        np.testing.assert_allclose(found["sh"], expected.sh, rtol=0, atol=5e-6)
        assert decibels(found["picture"], reference.rasterise(head(), camera(), background())) > 100


def test_every_name_of_the_package_has_compiled_code_of_its_own(tmp_path: Path) -> None:
    """Compiled code names its modules: Blender's `bl_ext....core` cannot load what the worker's
    `core` compiled."""
    code = (
        "import importlib, numba\n"
        "for name in ('core', 'egstalker.core'):\n"
        "    importlib.import_module(f'{name}.numba_setup')\n"
        "    print(numba.config.CACHE_DIR)\n"
    )
    (tmp_path / "egstalker").symlink_to(ROOT, target_is_directory=True)
    environ = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True
    )
    assert len(set(done.stdout.split())) == 2
