"""Depth next to colour: every rasteriser compared with the oracle, and the oracle with arithmetic
by hand. Colours must not change by a bit when depth is asked for. The CUDA kernels are in
test_render_nvrtc.py.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest

from core.errors import ArgumentError
from core.images.image import Image
from core.records.arrays import Float32
from core.records.camera import Camera
from core.records.gaussians import Splats
from core.render import reference
from core.render.numpy import tiles
from core.render.rasteriser import EMPTY
from tests.support.render_scenes import camera, hard_cases, head, noise, round_splats

CASES = hard_cases()
RELATIVE = (
    1e-4  # of the depth, where an alpha of 1/255 falls on the other side: 5 % of pixels' share
)


def deep(rasterise: Callable[..., Image], splats: Splats, view: Camera, *more: object) -> Float32:
    depth = np.full((view.height, view.width), np.nan, np.float32)
    rasterise(splats, view, *more, depth=depth)
    return depth


@pytest.fixture(params=["numpy", "numba"])
def rasterise(request: pytest.FixtureRequest) -> Callable[..., Image]:
    if request.param == "numpy":
        return tiles.rasterise
    pytest.importorskip("numba", reason="numba is not installed")
    found: Callable[..., Image] = import_module("core.render.numba.rasterise").rasterise
    return found


def front(size: int = 33) -> Camera:
    """At the origin, looking along z."""
    return Camera(np.eye(4), 100, 100, size / 2, size / 2, size, size)


def test_one_gaussian_has_the_depth_of_its_mean() -> None:
    """At its faint edge as in its middle, and along z, not along the ray."""
    depth = deep(reference.rasterise, round_splats([[0.1, 0, 2]], 0.04, 0.5), front())
    image = reference.rasterise(round_splats([[0.1, 0, 2]], 0.04, 0.5), front())
    seen = image[..., 3] > 0
    assert 0 < seen.sum() < seen.size
    np.testing.assert_allclose(depth[seen], 2, rtol=1e-6)
    assert (depth[~seen] == EMPTY).all()


def test_two_layers_by_hand() -> None:
    """0.6 in front at 2, 0.5 behind at 4: (0.6 * 2 + 0.4 * 0.5 * 4) / 0.8."""
    layers = round_splats([[0, 0, 4], [0, 0, 2]], 5.0, 0.5)
    layers.opacities[1] = 0.6
    depth = deep(reference.rasterise, layers, front(3))
    assert depth[1, 1] == pytest.approx((0.6 * 2 + 0.4 * 0.5 * 4) / 0.8, rel=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_equals_the_oracle(rasterise: Callable[..., Image], name: str) -> None:
    truth = deep(reference.rasterise, CASES[name], camera())
    depth = deep(rasterise, CASES[name], camera())
    np.testing.assert_array_equal(depth == EMPTY, truth == EMPTY)
    off = np.abs(depth.astype(np.float64) - truth) / truth
    # A share that rounding adds or drops is at most 1/255 of a pixel that may have little more.
    assert np.quantile(off, 0.99) <= RELATIVE
    assert np.count_nonzero(off > RELATIVE) <= 0.002 * off.size


@pytest.mark.parametrize("behind", [None, noise()], ids=["transparent", "background"])
def test_colour_does_not_change_by_a_bit(
    rasterise: Callable[..., Image], behind: Float32 | None
) -> None:
    depth = np.empty((camera().height, camera().width), np.float32)
    asked = rasterise(head(), camera(), behind, 3, depth=depth)
    np.testing.assert_array_equal(asked, rasterise(head(), camera(), behind))
    # What lies behind the head has no depth: it is not made of Gaussians.
    np.testing.assert_array_equal(depth, deep(rasterise, head(), camera()))


def test_gsplat_draws_the_same_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """gsplat's expected depth, by its own code; its kernels are replaced by its torch reference."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from tests.support.gsplat_on_cpu import on_cpu

    on_cpu(monkeypatch)
    from core.render.cuda.gsplat_drawer import GsplatDrawer
    from core.render.cuda.scene import scene_of
    from core.render.cuda.views import view_table

    view, splats = camera(40, 24), head(400)
    scene, table = scene_of(splats, torch.device("cpu")), torch.from_numpy(view_table([view]))
    size = (view.width, view.height)
    drawn = GsplatDrawer().draw(scene, table, size, with_depth=True)
    plain = GsplatDrawer().draw(scene, table, size)
    assert plain.depths is None
    torch.testing.assert_close(plain.pictures, drawn.pictures, atol=1e-6, rtol=0)
    assert drawn.depths is not None
    truth = deep(reference.rasterise, splats, view)
    depth = drawn.depths[0].numpy()
    both = (truth < EMPTY) & (depth < EMPTY)  # its footprints end elsewhere (docs/method.md 8.1)
    assert both.sum() > 0.98 * (truth < EMPTY).sum()
    assert np.quantile(np.abs(depth - truth)[both], 0.95) < 1e-3
    none = scene_of(head(0), torch.device("cpu"))
    empty = GsplatDrawer().draw(none, table, size, with_depth=True)
    assert empty.depths is not None
    assert (empty.depths == EMPTY).all() and empty.pictures.shape[-1] == 4


def test_numba_threads_change_no_depth() -> None:
    pytest.importorskip("numba", reason="numba is not installed")
    from core.render.numba.rasterise import rasterise

    one, many = np.empty((2, camera().height, camera().width), np.float32)
    rasterise(head(), camera(), depth=one, threads=1)
    rasterise(head(), camera(), depth=many, threads=3)
    np.testing.assert_array_equal(one, many)


def test_a_depth_of_another_size_is_refused(rasterise: Callable[..., Image]) -> None:
    with pytest.raises(ArgumentError, match=r"depth is float32 of shape \(2, 2\)"):
        rasterise(head(1), camera(), None, 3, depth=np.empty((2, 2), np.float32))
