"""The CUDA kernels, run on the CPU, and the message if there is no GPU."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from core.errors import MissingPackageError
from core.images.image import to_uint8
from core.network.deformer import adjusted
from core.records.gaussians import Splats, activate
from core.render import reference
from core.render.cuda.drawer import draw_one
from core.render.cuda.source import KERNELS, source
from core.render.cuda.views import view_table
from core.render.projection import project
from core.render.rasteriser import EMPTY
from tests.support.emulation import emulated
from tests.support.render_scenes import camera, decibels, hard_cases, head, noise
from tests.support.synthetic import random_gaussians

torch = pytest.importorskip("torch", reason="torch is not installed")
compiler_torch = import_module("core.render.cuda.compiler")
drawer_torch = import_module("core.render.cuda.nvrtc_drawer")
scene_torch = import_module("core.render.cuda.scene")

CPU = torch.device("cpu")
FINITE = [name for name in hard_cases() if name != "none"]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return emulated(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def drawer(kernels):
    return drawer_torch.NvrtcDrawer(kernels)


def batch_of(*heads: Splats):
    scenes = [scene_torch.scene_of(splats, CPU) for splats in heads]
    tensors = (torch.cat(parts) for parts in zip(*(s.tensors for s in scenes), strict=True))
    return scene_torch.Scene(*tensors, raw=False)


def views_of(*cameras, **controls):
    return torch.from_numpy(view_table(cameras, **controls))


def drawn(drawer, splats: Splats, view=None, background=None, degree: int = 3, **options):
    view = view or camera()
    behind = None if background is None else torch.from_numpy(background)
    scene = scene_torch.scene_of(splats, CPU)
    found = drawer.draw(scene, views_of(view), (view.width, view.height), behind, degree, **options)
    assert int(found.pairs) <= found.capacity and not found.broken.any()
    return found.pictures[0].numpy()


@pytest.mark.parametrize("name", list(hard_cases()))
def test_equals_the_oracle(drawer, name: str) -> None:
    scene = hard_cases()[name]
    for background in (None, noise()):
        truth = reference.rasterise(scene, camera(), background)
        picture = drawn(drawer, scene, background=background)
        # In float32 throughout; the largest differences are where an alpha of 1/255 is met.
        assert decibels(picture, truth) >= 100
        assert np.abs(picture - truth).max() < 1.5 / 255


@pytest.mark.parametrize("name", list(hard_cases()))
def test_depth_equals_the_oracle(drawer, name: str) -> None:
    scene, view = hard_cases()[name], camera()
    truth, depth = np.empty((2, view.height, view.width), np.float32)
    reference.rasterise(scene, view, None, 3, truth)
    picture = draw_one(drawer, "cpu", scene, view, noise(), 3, depth)
    np.testing.assert_array_equal(depth == EMPTY, truth == EMPTY)
    off = np.abs(depth - truth) / truth
    # Where an alpha of 1/255 falls on the other side, a pixel has another mean.
    assert np.count_nonzero(off > 1e-4) <= 0.002 * off.size
    np.testing.assert_array_equal(picture, drawn(drawer, scene, background=noise()))


def test_tiles_that_nothing_visible_reaches_are_not_listed(drawer) -> None:
    """The oracle draws whole rectangles of tiles, so that one too few would show above."""
    needles, view = hard_cases()["needles"], camera()
    found = drawer.draw(scene_torch.scene_of(needles, CPU), views_of(view), (97, 61))
    left, top, right, bottom = project(needles, view, 0).rects.T
    assert 0 < int(found.pairs) < 0.5 * ((right - left) * (bottom - top)).sum()


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_lower_degrees(drawer, degree: int) -> None:
    truth = reference.rasterise(head(), camera(), None, degree)
    assert decibels(drawn(drawer, head(), degree=degree), truth) >= 100
    assert decibels(drawn(drawer, head()), truth) < 60


def test_raw_values_are_activated(drawer) -> None:
    gaussians = random_gaussians(400)
    values = (
        torch.from_numpy(np.ascontiguousarray(value))[None]
        for value in (
            gaussians.means,
            gaussians.quats,
            gaussians.log_scales,
            gaussians.opacity_logits,
            gaussians.sh,
        )
    )
    view = camera()
    found = drawer.draw(
        scene_torch.Scene(*values, raw=True), views_of(view), (view.width, view.height)
    )
    truth = reference.rasterise(activate(gaussians), view)
    assert decibels(found.pictures[0].numpy(), truth) >= 100


def test_controls_of_opacity_and_colour(drawer) -> None:
    view = camera()
    views = views_of(view, view, opacities=[0.4, 1.7], colour_gains=[1.3, 0.5])
    scene = scene_torch.scene_of(head(), CPU)
    found = drawer.draw(scene, views, (view.width, view.height))
    for picture, controls in zip(found.pictures.numpy(), [(0.4, 1.3), (1.7, 0.5)], strict=True):
        truth = reference.rasterise(adjusted(head(), *controls), view)
        assert decibels(picture, truth) >= 100


@pytest.mark.parametrize("images", ["none", "one", "each"])
def test_a_frame_of_a_batch_is_the_frame_alone(drawer, images: str) -> None:
    heads = [head(600, seed) for seed in range(3)]
    cameras = [camera(distance=distance) for distance in (7.5, 6.0, 9.0)]
    behind = {
        "none": None,
        "one": noise(),
        "each": np.stack([noise() * np.float32(k) for k in (1, 0.5, 0.2)]),
    }[images]
    size = (cameras[0].width, cameras[0].height)
    given = None if behind is None else torch.from_numpy(behind)
    found = drawer.draw(batch_of(*heads), views_of(*cameras), size, given)
    for k, picture in enumerate(found.pictures.numpy()):
        background = behind if behind is None or behind.ndim == 3 else behind[k]
        assert np.array_equal(picture, drawn(drawer, heads[k], cameras[k], background))


def test_what_frames_share_is_read_once_for_all(drawer) -> None:
    scene, cameras = head(500), [camera(), camera(distance=5.0)]
    size = (cameras[0].width, cameras[0].height)
    moved = replace(scene, means=scene.means + np.float32(0.1))
    tensors = batch_of(scene, moved)
    shared = tensors._replace(
        quats=tensors.quats[:1], scales=tensors.scales[:1], opacities=tensors.opacities[:1],
        sh=tensors.sh[:1].contiguous(),
    )  # fmt: skip
    pictures = [
        drawer.draw(which, views_of(*cameras), size).pictures for which in (tensors, shared)
    ]
    assert torch.equal(*pictures)


@pytest.mark.parametrize("background", [None, noise()])
def test_eight_bits_are_the_pngs(drawer, background) -> None:
    bright = replace(head(), sh=head().sh * np.float32(2))
    whole = drawn(drawer, bright, background=background)
    assert whole.max() > 1  # clipped, that is
    pixels = drawn(drawer, bright, background=background, in_bytes=True)
    assert pixels.dtype == np.uint8 and np.array_equal(pixels, to_uint8(whole))
    converted = scene_torch.to_bytes(torch.from_numpy(whole)[None])
    assert np.array_equal(converted[0].numpy(), pixels)


def test_a_list_that_was_too_short_shows_and_the_next_is_long_enough(drawer, monkeypatch) -> None:
    monkeypatch.setattr(drawer_torch, "LEAST", 1)
    few, more, size = camera(distance=3.0), camera(distance=60.0), (97, 61)
    many = head(4000)
    scene = scene_torch.scene_of(many, CPU)
    first = drawer.draw(scene, views_of(few), size)
    short = drawer.draw(scene, views_of(more), size)
    assert int(first.pairs) <= first.capacity == short.capacity < int(short.pairs)
    drawer.learn((1, len(many), *size), int(short.pairs))
    again = drawer.draw(scene, views_of(more), size)
    assert int(again.pairs) <= again.capacity
    assert decibels(again.pictures[0].numpy(), reference.rasterise(many, more)) >= 100


def test_a_frame_with_a_number_that_is_not_finite_is_marked(drawer) -> None:
    bad = head(50)
    bad.sh[:] = np.inf
    found = drawer.draw(batch_of(head(50), bad), views_of(camera(), camera()), (97, 61))
    assert found.broken.bool().tolist() == [False, True]


def test_where_it_cannot_run_it_says_why() -> None:
    reason = compiler_torch.available()
    if reason is None:
        pytest.skip("the CUDA kernels run here")
    assert "\n" not in reason and "choose" in reason


def test_another_torch_is_told_in_one_line(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "_compile_kernel", None, raising=False)
    with pytest.raises(MissingPackageError, match=r"torch .* has no NVRTC compiler; choose"):
        compiler_torch._compile(0)
    monkeypatch.setattr(torch.cuda, "_compile_kernel", lambda text, options: None)
    with pytest.raises(MissingPackageError, match="which is new"):
        compiler_torch._compile(0)


def test_a_machine_without_a_toolkit_is_no_error(monkeypatch) -> None:
    from torch.utils import cpp_extension

    monkeypatch.setattr(cpp_extension, "CUDA_HOME", None)
    with pytest.raises(OSError, match="CUDA_HOME"):
        cpp_extension.include_paths("cuda")  # what torch does before it calls NVRTC
    with compiler_torch._without_toolkit():
        cpp_extension.include_paths("cuda")
    assert cpp_extension.CUDA_HOME is None


@pytest.mark.skipif(torch.version.cuda is None, reason="this torch is built without CUDA")
@pytest.mark.parametrize("architecture", ["75", "86", "90"])
def test_nvrtc_compiles_the_kernels_also_without_a_gpu(architecture: str) -> None:
    from torch.cuda import _utils

    with compiler_torch._without_toolkit():
        for name in KERNELS:
            binary, found = _utils._nvrtc_compile(source(), name, architecture)
            assert found == name and len(binary) > 1000


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("name", list(hard_cases()))
def test_the_gpu_draws_what_the_oracle_draws(name: str) -> None:
    real = drawer_torch.NvrtcDrawer(compiler_torch.kernels(torch.cuda.current_device()))
    scene, view, background = hard_cases()[name], camera(), noise()
    for behind in (None, background):
        found = real.draw(
            scene_torch.scene_of(scene, torch.device("cuda")),
            views_of(view).cuda(),
            (view.width, view.height),
            None if behind is None else torch.from_numpy(behind).cuda(),
        )
        assert (
            decibels(found.pictures[0].cpu().numpy(), reference.rasterise(scene, view, behind))
            >= 100
        )
