"""The functions compiled ahead are those that a frame needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.bake.backends import backend_named
from core.bake.plan import training_tasks
from core.network.deformer import splats_at
from core.records.weights import EGSTALKER, GAUSSIANTALKER
from core.render.background import background_of
from tests.support.narrow_vectors import run_with_vectors_of_eight
from tests.support.synthetic import random_avatar, random_paper_avatar, random_pose, random_windows
from tests.support.talking import small_avatar, sound

pytest.importorskip("numba", reason="needs numba")
from core.network.numba import layers, network
from core.render.numba import bin, blend, project, rasterise

COMPILED = (
    layers.deform_rows,
    project.project_range,
    bin.sort_by_depth,
    bin.distribute,
    blend.blend_row,
    rasterise.lay_over,
    rasterise.lay_clear,
)


def test_nothing_is_left_to_compile_for_the_first_frame(tmp_path: Path) -> None:
    backend = backend_named("numba")
    backend.warm_up()
    before = [set(function.signatures) for function in COMPILED]
    assert all(before)
    avatar = small_avatar(tmp_path / "small.egs")
    task = training_tasks(avatar, [3])[0]
    splats = splats_at(backend.prepare(avatar), sound(), task.moment)
    assert avatar.background is not None
    backend.rasterise(splats, task.camera, background_of(avatar.background, task.camera))
    assert [set(function.signatures) for function in COMPILED] == before


@pytest.mark.parametrize("frozen", [frozenset(), frozenset({"sh"})])
def test_no_network_needs_more_than_is_compiled(frozen: frozenset[str]) -> None:
    network.warm_up()
    avatars = [random_avatar(70, EGSTALKER, layers=2), random_avatar(70, GAUSSIANTALKER)]
    avatars += [random_paper_avatar(70), random_paper_avatar(70, kan=False, esaa=False)]
    for weights, gaussians in avatars:
        deformer = network.prepare(replace(weights, frozen=frozen), gaussians)
        deformer.deform_raw(deformer.encode_audio(random_windows()), 0.3, random_pose(), 1.0)
    # One in all, so that no test before this one can have compiled what is missing.
    assert len(layers.deform_rows.signatures) == 1


NARROW = """
import sys
import numpy as np
from core.network.numba.network import prepare
from core.network.numba.tiles import WIDTH
from core.render.numba.blend import WIDTH as BLENDED
from core.render.numba.rasterise import rasterise
from tests.support.render_scenes import noise, camera, head
from tests.support.synthetic import random_avatar, random_paper_avatar, random_pose, random_windows
assert (WIDTH, BLENDED) == (8, 8), "compiled for vectors of 16"
found = {"picture": rasterise(head(), camera(), noise())}
for name, avatar in (("official", random_avatar(100)), ("paper", random_paper_avatar(100))):
    deformer = prepare(*avatar)
    moved = deformer.deform_raw(deformer.encode_audio(random_windows()), 0.3, random_pose(), 1.0)
    found[name] = np.hstack([values.reshape(100, -1) for values in vars(moved).values()])
np.savez(sys.argv[1], **found)
"""


def test_vectors_of_eight_give_the_same_picture(tmp_path: Path) -> None:
    """The path of processors without AVX-512, whatever this one has."""
    from core.network.numpy.folded_network import prepare
    from core.render import reference
    from tests.support.render_scenes import camera, decibels, head, noise

    out = tmp_path / "narrow.npz"
    run_with_vectors_of_eight(NARROW, tmp_path, str(out))
    with np.load(out) as found:
        for name, avatar in (("official", random_avatar(100)), ("paper", random_paper_avatar(100))):
            deformer = prepare(*avatar)
            code = deformer.encode_audio(random_windows())
            moved = deformer.deform_raw(code, 0.3, random_pose(), 1.0)
            expected = np.hstack([values.reshape(100, -1) for values in vars(moved).values()])
            np.testing.assert_allclose(found[name], expected, rtol=0, atol=5e-6)
        assert decibels(found["picture"], reference.rasterise(head(), camera(), noise())) > 100
