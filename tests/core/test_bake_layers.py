"""Depth, matte and motion blur of a bake: layers per frame, means of instants, and the way to a
worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.bake.backends import Backend, backend_named
from core.bake.loop import bake, pictures
from core.bake.plan import training_tasks
from core.errors import ArgumentError, OutputError, ProtocolError
from core.images.files import write_image
from core.images.image import to_encoded, to_linear
from core.images.layers import EMPTY, Layers, mean_of, stacked
from core.network.deformer import splats_at
from core.records.avatar import Avatar
from core.records.job import RAW, BakeJob
from core.records.shutter import Shutter
from core.render import reference
from core.worker.exchange import read_job, voice_fields, write_job, write_track
from tests.support.exr import channels_in
from tests.support.talking import files, job_for, small_avatar


@pytest.fixture(scope="module")
def egs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Avatar]:
    path = tmp_path_factory.mktemp("egs") / "small.egs"
    return path, small_avatar(path)


@pytest.fixture
def backend() -> Backend:
    return backend_named("numpy")


def drawn(job: BakeJob, avatar: Avatar, backend: Backend) -> Iterator[Layers]:
    for found in pictures(job, avatar, backend.prepare(avatar), backend):
        assert isinstance(found, Layers)
        yield found


@pytest.mark.parametrize("background", [True, False])
def test_layers_of_a_frame(
    egs: tuple[Path, Avatar], backend: Backend, tmp_path: Path, background: bool
) -> None:
    job = job_for(*egs, tmp_path, count=2, background=background)
    plain = list(pictures(job, egs[1], backend.prepare(egs[1]), backend))
    layered = list(drawn(replace(job, file_format=RAW), egs[1], backend))
    for task, image, layers in zip(job.frames, plain, layered, strict=True):
        assert np.abs(layers.image - image).max() < 1e-6
        depth = np.empty(layers.depth.shape, np.float32)
        splats = splats_at(backend.prepare(egs[1]), job.track, task.moment)
        truth = reference.rasterise(splats, task.camera, None, 3, depth)
        assert np.abs(layers.matte - truth[..., 3]).max() < 1e-5
        drawn_here = depth < EMPTY
        assert 0 < drawn_here.sum() < drawn_here.size
        assert (layers.depth[~drawn_here] == EMPTY).all()
        # Decimetres become metres: a life-size head.
        np.testing.assert_allclose(layers.depth[drawn_here], depth[drawn_here] / 10, rtol=1e-4)
        assert (layers.image[..., 3] == (1 if background else layers.matte)).all()


def test_depth_is_in_units_of_the_scene(
    egs: tuple[Path, Avatar], backend: Backend, tmp_path: Path
) -> None:
    job = job_for(*egs, tmp_path, count=1, file_format=RAW, background=False)
    task = job.frames[0]
    larger = replace(task, camera=replace(task.camera, unit=2.5))
    small, large = (
        next(drawn(replace(job, frames=(one,)), egs[1], backend)) for one in (task, larger)
    )
    seen = small.depth < EMPTY
    np.testing.assert_allclose(large.depth[seen], 25 * small.depth[seen], rtol=1e-6)
    assert (large.depth[~seen] == EMPTY).all()
    assert np.array_equal(large.image, small.image)


def test_a_multilayer_file(egs: tuple[Path, Avatar], backend: Backend, tmp_path: Path) -> None:
    job = job_for(*egs, tmp_path / "out", count=1, file_format="exr-multilayer")
    list(bake(job, backend, egs[1]))
    assert list(files(tmp_path / "out")) == ["frame_0001.exr"]
    found = channels_in((tmp_path / "out" / "frame_0001.exr").read_bytes())
    layers = next(drawn(job, egs[1], backend))
    assert np.array_equal(found["Z"], layers.depth)
    assert np.array_equal(found["matte.A"], layers.matte.astype(np.float16))
    assert np.array_equal(found["R"], to_linear(layers.image)[..., 0].astype(np.float16))


def test_the_array_file(egs: tuple[Path, Avatar], backend: Backend, tmp_path: Path) -> None:
    job = job_for(*egs, tmp_path / "out", count=1, file_format=RAW)
    list(bake(job, backend, egs[1]))
    found = np.load(tmp_path / "out" / "frame_0001.npy", allow_pickle=False)
    assert np.array_equal(found, stacked(next(drawn(job, egs[1], backend))))


def test_layers_fit_no_other_format(tmp_path: Path) -> None:
    flat = np.ones((4, 4), np.float32)
    layers = Layers(np.ones((4, 4, 4), np.float32), flat, flat)
    with pytest.raises(ArgumentError, match="'png' has no layers"):
        write_image(tmp_path / "a.png", layers, "png")
    with pytest.raises(ArgumentError, match="exr-multilayer"):
        write_image(tmp_path / "a.exr", layers.image, "exr-multilayer")
    broken = replace(layers, depth=flat * np.nan)
    with pytest.raises(OutputError, match="not finite"):
        write_image(tmp_path / "a.exr", broken, "exr-multilayer")
    assert list(tmp_path.iterdir()) == []


# Motion blur ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("START", (10.0625, 10.1875, 10.3125, 10.4375)),
        ("CENTER", (9.8125, 9.9375, 10.0625, 10.1875)),
        ("END", (9.5625, 9.6875, 9.8125, 9.9375)),
    ],
)
def test_the_shutter(position: str, expected: tuple[float, ...]) -> None:
    assert Shutter(4, 0.5, position).frames(10) == expected


@pytest.mark.parametrize(
    "wrong", [{"samples": 1}, {"samples": 65}, {"length": 0}, {"length": 1e9}, {"position": "MID"}]
)
def test_shutters_that_are_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        Shutter(**{"samples": 4, **wrong})  # type: ignore[arg-type]


def test_a_mean_adds_up_light() -> None:
    """Half the time white, half the time black: in linear light, 188 of 255 and not 128."""
    white, black = (np.full((2, 2, 4), v, np.float32) for v in (1, 0))
    black[..., 3] = 1
    mean = mean_of([white, black])
    assert isinstance(mean, np.ndarray)
    assert mean[0, 0, 0] == pytest.approx(188 / 255, abs=0.5 / 255)
    image = np.random.default_rng(0).uniform(0, 1, (5, 5, 4)).astype(np.float32)
    image[..., :3] *= image[..., 3:]
    np.testing.assert_allclose(to_encoded(to_linear(image)), image, atol=1e-6)


def test_depth_of_a_mean_is_that_of_what_is_seen() -> None:
    def at(depth: float, matte: float) -> Layers:
        colour = np.full((1, 1, 4), matte, np.float32)
        return Layers(colour, np.float32([[depth]]), np.float32([[matte]]))

    mean = mean_of([at(2, 0.75), at(4, 0.25), at(EMPTY, 0)])
    assert isinstance(mean, Layers)
    assert mean.depth[0, 0] == pytest.approx(2.5)
    assert mean.matte[0, 0] == pytest.approx(1 / 3)
    nothing = mean_of([at(EMPTY, 0)] * 2)
    assert isinstance(nothing, Layers)
    assert nothing.depth[0, 0] == np.float32(EMPTY)


def test_a_blurred_frame_is_the_mean_of_its_sub_frames(
    egs: tuple[Path, Avatar], backend: Backend, tmp_path: Path
) -> None:
    """Each sub-frame is the frame that a scene with more frames a second has there."""
    avatar, shutter = egs[1], Shutter(4, 1.0, "START")
    job = job_for(*egs, tmp_path)
    blurred = replace(job, frames=training_tasks(avatar, [3], shutter=shutter))
    sharp = replace(job, frames=training_tasks(avatar, [3], shutter=None))
    # Frame 3 at 25 a second is frame 17 at 200; an eighth of a frame later is frame 18.
    finer = training_tasks(avatar, [18, 20, 22, 24], fps=200)
    deformer = backend.prepare(avatar)
    (found,) = pictures(blurred, avatar, deformer, backend)
    samples = list(pictures(replace(job, frames=finer), avatar, deformer, backend))
    np.testing.assert_allclose(found, mean_of(samples), atol=1e-6)
    (still,) = pictures(sharp, avatar, deformer, backend)
    assert np.abs(found - still).max() > 1e-3


def test_a_blurred_bake_writes_one_file_a_frame(
    egs: tuple[Path, Avatar], backend: Backend, tmp_path: Path
) -> None:
    frames = training_tasks(egs[1], [1, 2], shutter=Shutter(3))
    job = job_for(*egs, tmp_path / "out", frames=frames)
    done = [progress.number for progress in bake(job, backend, egs[1])]
    assert done == [None, 1, 2]
    assert list(files(tmp_path / "out")) == ["frame_0001.png", "frame_0002.png"]


def test_blur_and_units_reach_a_worker(egs: tuple[Path, Avatar], tmp_path: Path) -> None:
    frames = training_tasks(egs[1], [1, 2], shutter=Shutter(3))
    sharp = replace(frames[0], number=7, blur=(), camera=replace(frames[0].camera, unit=0.25))
    job = job_for(*egs, tmp_path / "out", frames=(*frames, sharp), file_format="exr-multilayer")
    write_track(tmp_path / "t.npy", job.track)
    fields = write_job(tmp_path, "f.npy", job, voice_fields(job.voice, "t.npy"))
    back = read_job(tmp_path, fields)
    assert back.file_format == job.file_format and back.layered
    assert [task.number for task in back.frames] == [1, 2, 7]
    assert [len(task.blur) for task in back.frames] == [3, 3, 0]
    assert back.frames[2].camera.unit == 0.25
    for theirs, ours in zip(back.frames, job.frames, strict=True):
        for one, other in zip(theirs.instants, ours.instants, strict=True):
            assert one.moment.seconds == other.moment.seconds
            assert np.array_equal(one.camera.viewmat, other.camera.viewmat)
    rows = np.load(tmp_path / "f.npy")
    np.save(tmp_path / "f.npy", rows[1:])
    with pytest.raises(ProtocolError, match="belongs to no frame"):
        read_job(tmp_path, fields)
