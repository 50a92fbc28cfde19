"""Training on a GPU, on a machine without one: the device of every tensor. See pretend_cuda.py."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
import torch

from core.errors import TrainingError
from core.render.cuda import gsplat
from core.training import setup, ssim, trainer
from core.training.numba.ssim import ssim_and_slopes
from core.training.rasterisers import gsplat as gsplat_torch
from tests.support.pretend_cuda import pretend
from tests.support.pretend_gsplat import stand_in
from tests.support.training_runs import OFFICIAL, SMALL, job_of, make_talking_clip, stop_at, train


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_talking_clip(tmp_path_factory.mktemp("talking"))


@pytest.fixture
def mode(monkeypatch):
    return pretend(monkeypatch)


@pytest.fixture
def trains_on_a_gpu(monkeypatch):
    # What is kept for a device is kept for longer than this one lives.
    monkeypatch.setattr(ssim, "_band", ssim._band.__wrapped__)
    monkeypatch.setitem(sys.modules, "gsplat", stand_in())
    monkeypatch.setattr(setup, "splatter_for", lambda device: gsplat_torch.splat)
    yield
    gsplat.available.cache_clear()  # the end of a training asks what draws here


def test_similarity_without_a_convolution(mode, monkeypatch) -> None:
    """cuDNN's would be of ten bits by default."""
    monkeypatch.setattr(torch.nn.functional, "conv2d", None)
    monkeypatch.setattr(ssim, "_band", ssim._band.__wrapped__)
    one, other = torch.rand(2, 20, 31, 3, generator=torch.Generator().manual_seed(1))
    with mode:
        there = one.to("cuda").requires_grad_()
        found = ssim.ssim(there, other.to("cuda"))
        found.backward()
        value, slope = float(found.detach().cpu()), there.grad.cpu().numpy()
    expected, slopes = ssim_and_slopes(one.numpy(), other.numpy())
    assert value == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(slope, slopes, atol=1e-6)


@pytest.mark.parametrize("config", [SMALL, OFFICIAL], ids=["paper", "official"])
def test_a_training_on_a_gpu(clip, mode, tmp_path, trains_on_a_gpu, config) -> None:
    config = replace(config, static_steps=70, batch=2, preview_every=4)  # long enough to densify
    job = job_of(clip, tmp_path / "run", config, device="cuda")
    with mode:
        stop_at(job, "motion", 3)
        events = train(replace(job, resume=True))
    assert events[-1]["event"] == "done" and job.out.is_file()


def test_a_state_of_the_processor_goes_on_on_a_gpu(clip, mode, tmp_path, trains_on_a_gpu) -> None:
    job = job_of(clip, tmp_path / "run", SMALL)
    stop_at(job, "motion", 2)
    with mode:
        assert train(replace(job, device="cuda", resume=True))[-1]["event"] == "done"


@pytest.mark.parametrize("text", ["CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"])
def test_a_full_gpu_is_told(clip, tmp_path, monkeypatch, text) -> None:
    def fail(*_):
        raise RuntimeError(text)

    monkeypatch.setattr(trainer._Training, "run", fail)
    with pytest.raises(TrainingError, match="memory of cpu is full; train with fewer --points"):
        train(job_of(clip, tmp_path / "run"))
