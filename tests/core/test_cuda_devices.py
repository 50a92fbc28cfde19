"""GPU code on a machine without a GPU: the device of every tensor, waits, and reads between
streams. See pretend_cuda.py."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
import torch

from core.bake import batch_renderer_torch as batch_renderer
from core.bake.batch_renderer_torch import BatchRenderer
from core.network.torch.deformer import Replayed, prepare_fast, prepare_plain
from core.render.cuda import gsplat_drawer
from core.render.cuda.drawer import draw_one
from core.render.cuda.nvrtc_drawer import NvrtcDrawer
from tests.support.emulation import emulated
from tests.support.pretend_cuda import GPU, Event, PretendCuda, Stream, pretend
from tests.support.pretend_gsplat import stand_in
from tests.support.synthetic import random_avatar, random_pose, random_windows
from tests.support.talking import job_for, small_avatar

BATCH = 3


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return emulated(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="module")
def egs(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    return path, small_avatar(path)


@pytest.fixture
def mode(monkeypatch):
    return pretend(monkeypatch)


# The stand-in itself ------------------------------------------------------------------------


def test_two_devices_do_not_meet(mode: PretendCuda) -> None:
    with mode:
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        assert there.is_cuda and (there * 2)[1:].device == GPU and not here.is_cuda
        with pytest.raises(RuntimeError, match="both cuda:0 and cpu"):
            there + here
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        assert not mode.waits
        assert there.cpu().numpy().sum() == 3 and bool(there[0] > 0)
        assert mode.waits == ["a copy", "__bool__"]


def test_a_stream_that_does_not_wait_is_caught(mode: PretendCuda) -> None:
    with mode:
        value, side = torch.ones(3, device="cuda") * 2, Stream()
        with torch.cuda.stream(side), pytest.raises(RuntimeError, match="not written yet"):
            value + 1
        side.wait_stream(mode.stream)
        with torch.cuda.stream(side):
            host = torch.empty(3, pin_memory=True)
            host.copy_(value + 1, non_blocking=True)
            done = Event()
            done.record(side)
        with pytest.raises(RuntimeError, match="not written yet"):
            host.numpy()
        done.synchronize()
        assert host.numpy().sum() == 9 and not mode.waits


# Pictures -----------------------------------------------------------------------------------


def renderer(job, avatar, drawer, device, in_bytes, half=False):
    deformer = prepare_fast(avatar.network, avatar.gaussians, str(device), half=half)
    return BatchRenderer(job, avatar, deformer, drawer, device, in_bytes, BATCH)


@pytest.mark.parametrize("in_bytes", [True, False])
@pytest.mark.parametrize("half", [False, True])
def test_a_bake_on_a_gpu(egs, kernels, mode, tmp_path, monkeypatch, in_bytes, half) -> None:
    monkeypatch.setattr(batch_renderer, "AT_ONCE", 1)  # each batch is prepared apart
    job = job_for(*egs, tmp_path, count=10)
    given = (job, egs[1], NvrtcDrawer(kernels))
    plain = (
        list(renderer(*given, torch.device("cpu"), in_bytes, half).pictures()) if not half else []
    )
    with mode:
        drawn = renderer(*given, GPU, in_bytes, half)
        mode.waits.clear()
        pictures = drawn.pictures()
        found = [next(pictures)]
        # The sound is encoded once; the first batch of all gives the length of its list.
        assert set(mode.waits) <= {"a copy", "__int__"}
        mode.waits.clear()
        found += pictures
        assert mode.waits == []  # nothing waits inside a batch
    assert len(found) == len(job.frames)
    assert all(isinstance(picture, np.ndarray) for picture in found)
    for ours, theirs in zip(found, plain, strict=False):
        np.testing.assert_allclose(ours, theirs, atol=1 if in_bytes else 1e-4)


def test_a_bake_of_an_avatar_that_stands_still(egs, kernels, mode, tmp_path) -> None:
    from core.bake.deformers import StillDeformer

    job, still = job_for(*egs, tmp_path, count=4), replace(egs[1], network=None)
    with mode:
        made = BatchRenderer(
            job, still, StillDeformer(still), NvrtcDrawer(kernels), GPU, True, BATCH
        )
        assert len(list(made.pictures())) == 4


@pytest.mark.parametrize("background", [True, False])
def test_a_bake_through_gsplat(egs, mode, tmp_path, monkeypatch, background) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", stand_in())
    job = job_for(*egs, tmp_path, count=4, background=background)
    with mode:
        pictures = list(renderer(job, egs[1], gsplat_drawer.GsplatDrawer(), GPU, True).pictures())
    assert [picture.shape for picture in pictures] == [(48, 48, 4)] * 4


def test_a_single_picture_on_a_gpu(egs, kernels, mode, tmp_path) -> None:
    from core.records.gaussians import activate

    task = job_for(*egs, tmp_path, count=1).frames[0]
    splats = activate(egs[1].gaussians)
    # As a transposed array of another layout: what the kernels read is in rows.
    columns = replace(splats, means=np.asfortranarray(splats.means))
    with mode:
        given = (task.camera, np.zeros((48, 48, 3), np.float32), 3)
        drawer = NvrtcDrawer(kernels)
        pictures = [draw_one(drawer, "cuda", each, *given) for each in (splats, columns)]
    assert pictures[0].any() and np.array_equal(*pictures)


# The viewport's frames ----------------------------------------------------------------------


class Graph:
    """Computes again what was captured, into the same memory, as a GPU does."""

    def __init__(self) -> None:
        self.captured: Any = None

    def replay(self) -> None:
        replayed = self.captured
        for place, value in zip(replayed._moved, replayed._frames(*replayed._given), strict=True):
            place.copy_(value)


class Capture:
    """As torch.cuda.graph: on a stream of its own, where it stays when the capture fails."""

    failure = ""

    def __init__(self, graph: Graph, stream: Stream, capture_error_mode: str) -> None:
        assert stream.device == GPU and capture_error_mode == "thread_local"
        self._stream = stream

    def __enter__(self) -> None:
        mode = PretendCuda.present
        assert mode is not None
        torch.cuda.synchronize()
        self._before, mode.stream = mode.stream, self._stream

    def __exit__(self, *_: object) -> None:
        mode = PretendCuda.present
        assert mode is not None
        if self.failure:
            raise RuntimeError(self.failure)
        mode.stream = self._before


@pytest.fixture
def capture(mode, monkeypatch):
    class Own(Capture):
        pass

    graph = Graph()
    keep = Replayed._capture

    def captured(self, *arguments):
        graph.captured = self
        keep(self, *arguments)

    monkeypatch.setattr(Replayed, "_capture", captured)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graph)
    monkeypatch.setattr(torch.cuda, "graph", Own)
    return Own


def frames_on_both(mode: PretendCuda) -> Any:
    """Three frames of an avatar by the pretended GPU, and how far from the processor's."""
    weights, gaussians = random_avatar(200, agents=40)
    plain, errors = prepare_fast(weights, gaussians), []
    with mode:
        fast = prepare_fast(weights, gaussians, "cuda")
        for seed in range(3):
            windows, pose = random_windows(seed), random_pose(seed)
            ours = fast.deform_raw(fast.encode_audio(windows), 0.1 * seed, pose, 0.9)
            theirs = plain.deform_raw(plain.encode_audio(windows), 0.1 * seed, pose, 0.9)
            errors.append(np.abs(ours.sh - theirs.sh).max())
    return fast, max(errors)


def test_a_frame_by_its_graph(mode, capture) -> None:
    fast, error = frames_on_both(mode)
    assert error < 1e-5 and fast.notes == ()


def test_a_capture_that_fails_gives_the_stream_back(mode, capture) -> None:
    capture.failure = "operation failed due to a previous error during capture"
    before = mode.stream
    fast, error = frames_on_both(mode)
    assert error < 1e-5 and "no CUDA graph: operation failed" in fast.notes[0]
    assert mode.stream is before


def test_the_plain_network_on_a_gpu(mode) -> None:
    weights, gaussians = random_avatar(200, agents=40)
    with mode:
        deformer = prepare_plain(weights, gaussians, "cuda")
        moved = deformer.deform_raw(
            deformer.encode_audio(random_windows(0)), 0.2, random_pose(0), 1.0
        )
    assert np.isfinite(moved.sh).all()
