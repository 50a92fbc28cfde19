"""The loop from a moment to a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.bake.backends import backend_named, remembering
from core.bake.loop import bake, picture
from core.bake.plan import training_tasks
from core.errors import InputError, OutputError
from tests.support.talking import SIZE, files, job_for, small_avatar, sound


@pytest.fixture(scope="module")
def egs(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    return path, small_avatar(path)


@pytest.fixture(scope="module")
def numpy_backend():
    return remembering(backend_named("numpy"))


def test_every_frame_is_written_and_told(egs, numpy_backend, tmp_path):
    job = job_for(*egs, tmp_path / "new" / "folder", count=3)
    told = list(bake(job, numpy_backend))
    assert [(p.done, p.total, p.number) for p in told] == [
        (0, 3, None),
        (1, 3, 1),
        (2, 3, 2),
        (3, 3, 3),
    ]
    written = files(job.directory)
    assert list(written) == ["frame_0001.png", "frame_0002.png", "frame_0003.png"]
    assert [p.path.name for p in told[1:]] == list(written)
    assert len(set(written.values())) == 3  # the head moves


@pytest.mark.parametrize("file_format", ["png", "exr"])
@pytest.mark.parametrize("background", [True, False])
def test_a_frame_alone_is_the_frame_of_a_sequence(
    egs, numpy_backend, tmp_path, file_format, background
):
    job = job_for(*egs, tmp_path / "all", count=4, file_format=file_format, background=background)
    list(bake(job, numpy_backend))
    alone = replace(job, directory=tmp_path / "one", frames=job.frames[2:3])
    list(bake(alone, backend_named("numpy")))
    name = f"frame_0003.{file_format}"
    assert files(tmp_path / "one") == {name: (tmp_path / "all" / name).read_bytes()}


def test_a_plate_makes_the_picture_opaque(egs, numpy_backend, tmp_path):
    _, avatar = egs
    deformer = numpy_backend.prepare(avatar)
    job = job_for(*egs, tmp_path)
    task = job.frames[0]
    over = picture(job, task, avatar, deformer, numpy_backend)
    assert over.shape == (SIZE, SIZE, 4) and (over[..., 3] == 1).all()
    bare = picture(replace(job, background=False), task, avatar, deformer, numpy_backend)
    assert bare[0, 0, 3] == 0 and bare[SIZE // 2, SIZE // 2, 3] > 0.5
    without = replace(avatar, background=None)
    assert np.array_equal(picture(job, task, without, deformer, numpy_backend), bare)


def test_closing_keeps_whole_files_and_nothing_else(egs, numpy_backend, tmp_path):
    frames = bake(job_for(*egs, tmp_path, count=9), numpy_backend)
    for _ in range(3):
        next(frames)
    frames.close()
    assert list(files(tmp_path)) == ["frame_0001.png", "frame_0002.png"]


def test_a_changed_avatar_file_is_named(egs, numpy_backend, tmp_path):
    job = job_for(*egs, tmp_path, avatar_hash="0" * 64)
    with pytest.raises(InputError, match=r"small\.egs changed"):
        list(bake(job, numpy_backend))


def test_a_folder_that_cannot_be_made_is_told_before_any_work(egs, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    job = job_for(*egs, tmp_path / "file" / "out")

    def never(*_):
        raise AssertionError("computed before the folder was looked at")

    with pytest.raises(OutputError, match="cannot be created"):
        list(bake(job, replace(backend_named("numpy"), prepare=never)))


def test_a_full_disk_leaves_whole_files_and_no_temporary(egs, numpy_backend, tmp_path):
    job = job_for(*egs, tmp_path, count=3)
    (tmp_path / "frame_0002.png").mkdir()  # the second file cannot take its name
    with pytest.raises(OutputError, match=r"frame_0002\.png"):
        list(bake(job, numpy_backend))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["frame_0001.png", "frame_0002.png"]


def test_an_avatar_without_a_network_stands_still(egs, tmp_path):
    _, avatar = egs
    still = replace(avatar, network=None, content_hash="")
    deformer = backend_named("numpy").prepare(still)
    code = deformer.encode_audio(sound().around(0))
    splats = deformer.deform(code, 0.5, np.zeros(12, np.float32), 1.0)
    assert np.array_equal(splats.means, avatar.gaussians.means)


def test_the_last_avatars_are_prepared_once(egs):
    calls = []
    backend = backend_named("numpy")
    backend = remembering(replace(backend, prepare=lambda a: calls.append(a) or object()))
    avatars = [replace(egs[1], content_hash=name) for name in "abc"]
    first = backend.prepare(avatars[0])
    assert backend.prepare(replace(avatars[0])) is first and len(calls) == 1
    for avatar in avatars[1:]:
        backend.prepare(avatar)
    assert backend.prepare(avatars[0]) is not first  # two are kept


def test_numba_draws_what_numpy_draws(egs, numpy_backend, tmp_path):
    pytest.importorskip("numba", reason="needs numba")
    path, avatar = egs
    job = job_for(path, avatar, tmp_path)
    numba = backend_named("numba")
    for task in training_tasks(avatar, (1, 7)):
        pictures = [
            picture(job, task, avatar, backend.prepare(avatar), backend)
            for backend in (numpy_backend, numba)
        ]
        assert np.abs(pictures[0] - pictures[1]).max() <= 1 / 255
