"""Batches of frames from strip to file, with the CUDA kernels run on the CPU."""

from __future__ import annotations

import gc
import itertools
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from core.bake.backends import Backend, backend_named, remembering
from core.bake.deformers import StillDeformer, with_body
from core.bake.loop import bake, picture, pictures
from core.bake.plan import training_tasks
from core.benchmarks import scaling
from core.errors import EngineError, MissingPackageError, OutputError
from core.images.image import to_uint8
from core.images.layers import EMPTY
from core.records.job import RAW
from core.records.shutter import Shutter
from core.render.cuda.drawer import draw_one
from tests.support.emulation import emulated
from tests.support.render_scenes import decibels
from tests.support.talking import SIZE, files, job_for, small_avatar, small_bust

torch = pytest.importorskip("torch", reason="torch is not installed")
batch_renderer = import_module("core.bake.batch_renderer_torch")
drawer_torch = import_module("core.render.cuda.nvrtc_drawer")
fast_deformer = import_module("core.network.torch.deformer")

CPU = torch.device("cpu")
BATCH = 3


class Counting(drawer_torch.NvrtcDrawer):
    """Counts what it draws."""

    def __init__(self, kernels):
        super().__init__(kernels)
        self.drawn = 0

    def draw(self, *arguments, **options):
        self.drawn += 1
        return super().draw(*arguments, **options)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return emulated(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def drawer(kernels):
    return Counting(kernels)


@pytest.fixture
def backend(drawer) -> Backend:
    def prepare(avatar):
        if avatar.network is None:
            return with_body(StillDeformer(avatar), avatar)
        moving = fast_deformer.prepare_fast(avatar.network, avatar.gaussians)
        return with_body(moving, avatar)

    def batches(job, avatar, deformer, in_bytes):
        return batch_renderer.BatchRenderer(
            job, avatar, deformer, drawer, CPU, in_bytes, BATCH
        ).pictures()

    def rasterise(*arguments):
        return draw_one(drawer, "cpu", *arguments)

    return remembering(Backend("nvrtc", "emulated", "CPU", prepare, rasterise, batches=batches))


@pytest.fixture(scope="module")
def egs(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    return path, small_avatar(path)


def both(job, avatar, backend) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each picture by batches and by the numpy backend, one by one."""
    slow = remembering(backend_named("numpy"))
    batches = pictures(job, avatar, backend.prepare(avatar), backend)
    alone = pictures(job, avatar, slow.prepare(avatar), slow)
    return list(zip(batches, alone, strict=True))


@pytest.mark.parametrize("background", [True, False])
def test_batches_are_the_pictures_one_by_one(egs, backend, tmp_path, background):
    found = both(job_for(*egs, tmp_path, count=5, background=background), egs[1], backend)
    assert len(found) == 5
    for ours, theirs in found:
        assert decibels(ours, theirs) >= 90 and np.abs(ours - theirs).max() < 1.5 / 255
    assert min(decibels(a[0], b[0]) for a, b in itertools.pairwise(found)) < 60  # the head moves


@pytest.mark.parametrize("still", [False, True])
def test_a_body_stands_under_the_head_of_every_batch(backend, tmp_path, still):
    avatar = small_bust(path := tmp_path / "bust.egs")
    if still:
        avatar = replace(avatar, network=None, features=None)
    for ours, theirs in both(job_for(path, avatar, tmp_path, count=5), avatar, backend):
        assert decibels(ours, theirs) >= 90


@pytest.mark.parametrize(
    "control",
    [{"strength": 0.3}, {"mouth_gain": 8.0}, {"opacity": 0.5}, {"colour_gain": 1.4}, {"fps": 30.0}],
)
def test_every_control_reaches_the_batch(egs, backend, tmp_path, control):
    path, avatar = egs
    plain = job_for(path, avatar, tmp_path, count=4)
    job = replace(plain, frames=training_tasks(avatar, range(1, 5), **control))
    for (ours, theirs), before in zip(
        both(job, avatar, backend),
        pictures(plain, avatar, backend.prepare(avatar), backend),
        strict=True,
    ):
        assert decibels(ours, theirs) >= 90
        last = before
    assert decibels(ours, last) < 60


def test_every_frame_is_written_and_reported(egs, backend, drawer, tmp_path):
    told = list(bake(job_for(*egs, tmp_path, count=7), backend))
    assert [progress.number for progress in told] == [None, *range(1, 8)]
    assert list(files(tmp_path)) == [f"frame_{n:04d}.png" for n in range(1, 8)]
    assert drawer.drawn == 3


@pytest.mark.parametrize("file_format", ["png", "exr"])
def test_a_frame_alone_is_the_frame_of_a_sequence(egs, backend, tmp_path, file_format):
    job = job_for(*egs, tmp_path / "all", count=7, file_format=file_format)
    list(bake(job, backend))
    for k in (0, 4, 6):
        alone = replace(job, directory=tmp_path / str(k), frames=job.frames[k : k + 1])
        list(bake(alone, backend))
        name = job.path_of(job.frames[k]).name
        assert files(alone.directory) == {name: (job.directory / name).read_bytes()}


def test_a_png_holds_the_images_bytes(egs, backend, tmp_path):
    job = job_for(*egs, tmp_path, count=2)
    deformer = backend.prepare(egs[1])
    whole = pictures(job, egs[1], deformer, backend)
    pixels = pictures(job, egs[1], deformer, backend, in_bytes=True)
    for image, eight in zip(whole, pixels, strict=True):
        assert image.dtype == np.float32 and eight.dtype == np.uint8
        assert np.array_equal(to_uint8(image), eight)


def test_one_picture_is_the_first_of_the_batch(egs, backend, tmp_path):
    job = job_for(*egs, tmp_path, count=4)
    deformer = backend.prepare(egs[1])
    third = list(pictures(job, egs[1], deformer, backend))[2]
    assert np.array_equal(picture(job, job.frames[2], egs[1], deformer, backend), third)


def test_cameras_of_several_sizes_make_batches_of_their_own(egs, backend, drawer, tmp_path):
    path, avatar = egs
    frames = [
        *training_tasks(avatar, [1, 2]),
        *training_tasks(avatar, [3, 4], size=(40, 30)),
        *training_tasks(avatar, [5]),
    ]
    job = replace(job_for(path, avatar, tmp_path), frames=tuple(frames))
    found = both(job, avatar, backend)
    assert [ours.shape[:2] for ours, _ in found] == [(SIZE, SIZE)] * 2 + [(30, 40)] * 2 + [
        (SIZE, SIZE)
    ]
    assert all(decibels(ours, theirs) >= 90 for ours, theirs in found) and drawer.drawn == 3


def test_large_pictures_come_in_smaller_batches(egs, backend, drawer, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_renderer, "MOST_PIXELS", 2 * SIZE * SIZE)
    job = job_for(*egs, tmp_path, count=5)
    assert sum(1 for _ in pictures(job, egs[1], backend.prepare(egs[1]), backend)) == 5
    assert drawer.drawn == 3


def test_a_list_of_pairs_that_is_too_short_costs_time_only(egs, backend, drawer, tmp_path):
    job, avatar = job_for(*egs, tmp_path, count=5), egs[1]
    deformer = backend.prepare(avatar)
    before = list(pictures(job, avatar, deformer, backend))
    shape = (BATCH, len(avatar.gaussians), SIZE, SIZE)
    drawer._capacities[shape] = 7
    drawer.drawn = 0
    again = list(pictures(job, avatar, deformer, backend))
    assert drawer.drawn > 2 and drawer._capacities[shape] > 7
    assert all(np.array_equal(a, b) for a, b in zip(before, again, strict=True))


def test_stopping_keeps_whole_files_and_draws_no_more(egs, backend, drawer, tmp_path):
    frames = bake(job_for(*egs, tmp_path, count=12), backend)
    for _ in range(3):
        next(frames)
    drawn = drawer.drawn
    frames.close()
    assert list(files(tmp_path)) == ["frame_0001.png", "frame_0002.png"]
    assert drawer.drawn == drawn < 4


def test_an_avatar_without_a_network_stands_still(egs, backend, tmp_path):
    still = replace(egs[1], network=None, content_hash="")
    for ours, theirs in both(job_for(*egs, tmp_path, count=4), still, backend):
        assert decibels(ours, theirs) >= 90


def test_a_picture_that_is_not_finite_is_no_file(egs, backend, tmp_path):
    gaussians = replace(egs[1].gaussians, sh=np.full_like(egs[1].gaussians.sh, np.inf))
    broken = replace(egs[1], gaussians=gaussians, network=None)
    for file_format in ("png", "exr"):
        job = job_for(*egs, tmp_path / file_format, count=2, file_format=file_format)
        with pytest.raises(OutputError, match=r"frame_0001\.\w+: the picture holds values"):
            list(bake(job, backend, broken))


def test_too_little_memory_is_said_in_one_line(egs, backend, drawer, tmp_path, monkeypatch):
    def draw(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n2 GiB")

    monkeypatch.setattr(drawer, "draw", draw)
    with pytest.raises(EngineError, match=r"too little memory for 3 frames of 48x48 at once; "):
        list(bake(job_for(*egs, tmp_path), backend))
    assert not files(tmp_path)


def test_no_more_than_two_batches_are_in_memory(egs, backend, tmp_path):
    path, avatar = egs
    job = replace(job_for(path, avatar, tmp_path), frames=training_tasks(avatar, range(1, 25)))

    def frozen() -> int:
        tensors = (o for o in gc.get_objects() if type(o) is torch.Tensor)
        return len({t.data_ptr() for t in tensors if t.shape == (BATCH, SIZE, SIZE, 4)})

    gc.collect()  # what other tests left
    most = 0
    for count, _ in enumerate(pictures(job, avatar, backend.prepare(avatar), backend)):
        if count % 5 == 0:
            most = max(most, frozen())
    assert 1 <= most <= 2


def test_rows_of_a_track_are_encoded_once(egs, backend, tmp_path, monkeypatch):
    deformer = backend.prepare(egs[1])
    calls = []
    monkeypatch.setattr(
        deformer, "_encoded", lambda w: calls.append(len(w)) or np.zeros((len(w), 32), np.float32)
    )
    job = job_for(*egs, tmp_path, count=12)
    list(pictures(job, egs[1], deformer, backend))
    list(pictures(job, egs[1], deformer, backend))
    assert calls == [fast_deformer.CODES_AT_ONCE]


def test_bench_shows_what_pictures_in_batches_take(egs, backend, tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "SIZES", ((40, 30), (60, 50)))
    monkeypatch.setattr(scaling, "COUNTS", (90, 200))
    monkeypatch.setattr(scaling, "BATCHED", 2)
    rows = list(scaling.sizes(egs[1], job_for(*egs, tmp_path, count=1), backend))
    expected = {f"emulated 0.{n}k {height}p" for n in ("12", "09", "2") for height in (30, 50)}
    assert {row.backend for row in rows} == expected and all(row.min_ms > 0 for row in rows)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize(("name", "least"), [("nvrtc", 90), ("gsplat", 65)])
def test_a_gpu_bakes_what_the_processor_bakes(egs, tmp_path, name, least):
    try:
        real = remembering(backend_named(name))
    except MissingPackageError as error:
        pytest.skip(str(error))
    job = job_for(*egs, tmp_path / "all", count=40, background=False)
    for ours, theirs in both(job, egs[1], real):
        assert decibels(ours, theirs) >= least
    list(bake(job, real))
    alone = replace(job, directory=tmp_path / "one", frames=job.frames[36:37])
    list(bake(alone, real))
    name = job.path_of(job.frames[36]).name
    assert files(alone.directory) == {name: (job.directory / name).read_bytes()}


@pytest.mark.parametrize("background", [True, False])
def test_layers_in_batches(egs, backend, tmp_path, background):
    """As the backend gives them that draws one frame after the other; with and without blur."""
    numpy = backend_named("numpy")
    for shutter in (None, Shutter(2)):
        tasks = training_tasks(egs[1], range(1, 4), shutter=shutter)
        job = job_for(*egs, tmp_path, frames=tasks, file_format=RAW, background=background)
        batched = pictures(job, egs[1], backend.prepare(egs[1]), backend)
        single = pictures(job, egs[1], numpy.prepare(egs[1]), numpy)
        for one, other in zip(batched, single, strict=True):
            assert np.abs(one.image - other.image).max() < 2e-3
            assert np.abs(one.matte - other.matte).max() < 2e-3
            both = (one.depth < EMPTY) & (other.depth < EMPTY)
            assert both.sum() > 0.95 * (other.depth < EMPTY).sum() > 0
            assert np.median(np.abs(one.depth - other.depth)[both]) < 1e-4
