"""The choice of a backend, and the message if it is not available."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

from core.bake.backends import CHOICES, choose_backend
from core.errors import ArgumentError, MissingPackageError
from core.render.cuda import gsplat as our_gsplat
from core.render.cuda import nvrtc
from tests.support.render_scenes import camera, head, noise

torch = pytest.importorskip("torch", reason="torch is not installed")
gsplat_batch = import_module("core.render.cuda.gsplat_drawer")
scene_torch = import_module("core.render.cuda.scene")
torch_deformer = import_module("core.network.torch.deformer")
views = import_module("core.render.cuda.views")


@pytest.fixture
def gpu(monkeypatch):
    """A GPU, as far as the choice of a backend asks; returns what sets the reasons."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")

    def reasons(gsplat: str | None, kernels: str | None, prebuilt: bool = True) -> None:
        monkeypatch.setattr(our_gsplat, "available", lambda: gsplat)
        monkeypatch.setattr(our_gsplat, "prebuilt", lambda: prebuilt)
        monkeypatch.setattr(nvrtc, "available", lambda: kernels)

    return reasons


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_prebuilt_gsplat_before_our_own_kernels_before_the_processor(gpu, name) -> None:
    gpu(None, None)
    assert choose_backend(name).name == "gsplat"
    gpu(None, None, prebuilt=False)  # it would compile for minutes
    assert choose_backend(name).name == "nvrtc"
    gpu(None, "no NVRTC", prebuilt=False)
    assert choose_backend(name).name == "gsplat"
    gpu("no nvcc", None)
    taken = choose_backend(name)
    assert (taken.name, taken.label, taken.device) == ("nvrtc", "CUDA kernels", "Some GPU")
    assert taken.batches is not None
    gpu("no nvcc", "no GPU")
    if name == "cuda":
        with pytest.raises(MissingPackageError, match="no GPU"):
            choose_backend(name)
    else:
        assert choose_backend(name).device == "CPU"


def test_half_precision_is_said(gpu) -> None:
    gpu("no nvcc", None)
    assert choose_backend("cuda-half").label == "CUDA kernels, half precision"


def test_every_choice_is_known_and_no_other(gpu) -> None:
    gpu(None, None)
    for name in CHOICES:
        choose_backend(name)
    with pytest.raises(ArgumentError, match=r"'vulkan' is unknown; choose one of auto, cuda,"):
        choose_backend("vulkan")


def test_without_a_gpu_the_reason_is_one_line() -> None:
    reason = nvrtc.available()
    if reason is None:
        pytest.skip("the CUDA kernels run here")
    with pytest.raises(MissingPackageError) as caught:
        nvrtc.rasterise(head(1), camera())
    assert str(caught.value) == reason and "\n" not in reason


def test_gsplat_that_nothing_here_can_compile_is_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(our_gsplat.shutil, "which", lambda name: None)
    assert "finds no C++ compiler such as g++; " in str(our_gsplat._without_compiler())
    monkeypatch.setattr(our_gsplat.sys, "platform", "win32")
    assert "cl.exe of Visual Studio" in str(our_gsplat._without_compiler())
    monkeypatch.setattr(our_gsplat.shutil, "which", lambda name: name == "cl")
    assert our_gsplat._without_compiler() is None


# gsplat in batches --------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [0, 3])
def test_each_frame_of_a_batch_has_the_arguments_it_has_alone(degree: int) -> None:
    heads, cameras = [head(300, 1), head(300, 2)], [camera(), camera(distance=5.0)]
    table = torch.from_numpy(views.view_table(cameras))
    scenes = [scene_torch.scene_of(splats, torch.device("cpu")) for splats in heads]
    scene = scene_torch.Scene(
        *(torch.cat(parts) for parts in zip(*(s.tensors for s in scenes), strict=True)), raw=False
    )
    given = gsplat_batch.arguments(scene, table, (97, 61), degree)
    for k in range(2):
        alone = gsplat_batch.arguments(scenes[k], table[k : k + 1], (97, 61), degree)
        assert given.keys() == alone.keys()
        for name, value in alone.items():
            found = given[name]
            if torch.is_tensor(value):
                torch.testing.assert_close(found[k : k + 1], value, atol=0, rtol=0)
            else:
                assert found == value, name


def test_gsplats_pictures_are_laid_over_the_background(monkeypatch) -> None:
    fake = ModuleType("gsplat")

    def rasterization(*, means, width, height, **_):
        size = (len(means), 1, height, width)
        return torch.full((*size, 3), 0.25), torch.full((*size, 1), 0.5), {}

    fake.rasterization = rasterization  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gsplat", fake)
    scene = scene_torch.scene_of(head(5), torch.device("cpu"))
    table, background = torch.from_numpy(views.view_table([camera()] * 2)), noise()
    drawer = gsplat_batch.GsplatDrawer()
    over = drawer.draw(scene, table, (97, 61), torch.from_numpy(background)).pictures.numpy()
    assert over.shape == (2, 61, 97, 4) and (over[..., 3] == 1).all()
    np.testing.assert_allclose(over[1, ..., :3], 0.25 + 0.5 * background, atol=1e-6)
    bare = drawer.draw(scene, table, (97, 61), in_bytes=True)
    assert bare.pictures[0, 0, 0].tolist() == [127, 127, 127, 127] and not bare.broken.any()


# One frame as a graph -----------------------------------------------------------------------


def test_a_graph_that_cannot_be_captured_is_no_error(monkeypatch) -> None:
    def refuse(*_):
        raise RuntimeError("operation not permitted\nwhen capturing")

    monkeypatch.setattr(torch_deformer.Replayed, "_capture", refuse)
    for name in ("synchronize", "current_stream", "set_stream"):
        monkeypatch.setattr(torch.cuda, name, lambda _: None)
    calls = []
    replayed = torch_deformer.Replayed(lambda inputs, strengths: calls.append(inputs) or "moved")
    for _ in range(2):
        assert replayed((torch.zeros(1),), torch.ones(1)) == "moved"
    assert replayed.reason == "no CUDA graph: operation not permitted" and len(calls) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_graph_gives_what_the_network_gives() -> None:
    from core.network.torch.deformer import prepare_fast
    from tests.support.synthetic import random_avatar, random_pose, random_windows

    weights, gaussians = random_avatar(3000)
    fast, plain = prepare_fast(weights, gaussians, "cuda"), prepare_fast(weights, gaussians)
    for seed in range(3):
        code, pose = plain.encode_audio(random_windows(seed)), random_pose(seed)
        ours = fast.deform_raw(code, 0.1 * seed, pose, 1.0)
        theirs = plain.deform_raw(code, 0.1 * seed, pose, 1.0)
        assert np.abs(ours.sh - theirs.sh).max() < 1e-5
        assert np.abs(ours.means - theirs.means).max() < 1e-5
    assert fast.notes == ()
