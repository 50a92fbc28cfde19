"""Meshes that hide parts of a baked head: rays, pictures, keys, and the way to a worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.bake.backends import backend_named
from core.bake.keys import picture_key
from core.bake.loop import pictures
from core.bake.plan import training_tasks
from core.errors import ProtocolError
from core.images.layers import EMPTY, Layers
from core.records.avatar import Avatar
from core.records.job import RAW
from core.records.mesh_depth import MeshDepth
from core.records.shutter import Shutter
from core.render.layers import behind_meshes
from core.render.rays import Area, area_around, corner_rays, depths_of, picture_of
from core.worker.exchange import read_job, voice_fields, write_job
from tests.support.render_scenes import camera
from tests.support.talking import job_for, small_avatar


@pytest.fixture(scope="module")
def egs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Avatar]:
    path = tmp_path_factory.mktemp("egs") / "small.egs"
    return path, small_avatar(path)


def right_half(height: int, width: int, distance: float) -> MeshDepth:
    middle = width // 2
    corners = np.full((height + 1, width - middle + 1), distance, np.float32)
    return MeshDepth(middle, 0, corners)


def test_rays_go_through_the_corners_of_pixels() -> None:
    seen_by = camera(30, 20)
    area = Area(4, 2, 9, 12)
    rays = corner_rays(seen_by, area)
    assert rays.shape == (11, 6, 3)
    points = seen_by.centre + 3.5 * rays
    np.testing.assert_allclose(depths_of(seen_by, points.reshape(-1, 3)), 3.5)
    turned = points @ seen_by.viewmat[:3, :3].T + seen_by.viewmat[:3, 3]
    x = seen_by.fx * turned[..., 0] / turned[..., 2] + seen_by.cx
    y = seen_by.fy * turned[..., 1] / turned[..., 2] + seen_by.cy
    np.testing.assert_allclose(x, np.tile(np.arange(4, 10), (11, 1)), atol=1e-9)
    np.testing.assert_allclose(y, np.tile(np.arange(2, 13)[:, None], (1, 6)), atol=1e-9)
    assert area_around(seen_by, points.reshape(-1, 3)[[0, -1]]) == area
    behind = np.concatenate([points[0], [seen_by.centre - rays[0, 0]]])
    assert area_around(seen_by, behind) == picture_of(seen_by)
    assert area_around(seen_by, points[0] + 1e6 * (points[0, -1] - points[0, 0])).is_empty


def test_a_pixel_keeps_the_share_of_its_corners_that_is_free() -> None:
    image = np.full((2, 3, 4), 0.8, np.float32)
    depth = np.array([[1, 1, 1], [1, 5, EMPTY]], np.float32)
    layers = Layers(image, depth, image[..., 3].copy())
    corners = np.array([[0.5, 3, 3], [0.5, 3, 3], [0.5, 3, 3]], np.float32)
    found = behind_meshes(layers, MeshDepth(0, 0, corners))
    share = np.array([[0.5, 1, 1], [0.5, 0, 1]], np.float32)
    np.testing.assert_allclose(found.matte, 0.8 * share)
    np.testing.assert_allclose(found.image, 0.8 * np.repeat(share[..., None], 4, -1))
    assert found.depth.tolist() == [[1, 1, 1], [1, np.float32(EMPTY), np.float32(EMPTY)]]
    assert layers.matte.min() == np.float32(0.8)  # what was given stays


@pytest.mark.parametrize("file_format", ["png", RAW])
def test_a_bake_leaves_out_what_is_hidden(
    egs: tuple[Path, Avatar], tmp_path: Path, file_format: str
) -> None:
    """Also of blurred frames, and not of the job's frames without meshes."""
    backend = backend_named("numpy")
    frames = training_tasks(egs[1], [1, 2], shutter=Shutter(2))
    size = frames[0].camera.height, frames[0].camera.width
    job = job_for(*egs, tmp_path, frames=frames, file_format=file_format, background=False)
    hidden = replace(frames[0], meshes=right_half(*size, 0.1))
    one = replace(job, frames=(hidden, frames[1]))

    def alphas(job: Any) -> list[Any]:
        found = pictures(job, egs[1], backend.prepare(egs[1]), backend)
        return [p.matte if isinstance(p, Layers) else p[..., 3] for p in found]

    (plain, second), (cut, same) = alphas(job), alphas(one)
    middle = size[1] // 2
    np.testing.assert_allclose(cut[:, :middle], plain[:, :middle], atol=1e-6)
    assert plain[:, middle:].max() > 0.5 and cut[:, middle:].max() == 0
    np.testing.assert_allclose(same, second, atol=1e-6)


def test_the_key_of_a_picture_counts_the_meshes(egs: tuple[Path, Avatar], tmp_path: Path) -> None:
    job = job_for(*egs, tmp_path, count=1)
    task = job.frames[0]
    others = [None, right_half(8, 8, 1), right_half(8, 8, 2), replace(right_half(8, 8, 1), top=1)]
    keys = {picture_key(job, replace(task, meshes=meshes)) for meshes in others}
    assert len(keys) == len(others)


def test_meshes_reach_a_worker(egs: tuple[Path, Avatar], tmp_path: Path) -> None:
    tasks = training_tasks(egs[1], [1, 2, 3])
    size = tasks[0].camera.height, tasks[0].camera.width
    meshes = right_half(*size, 0.7)
    frames = (tasks[0], replace(tasks[1], meshes=meshes), tasks[2])
    job = job_for(*egs, tmp_path / "out", frames=frames)
    fields = write_job(tmp_path, "f.npy", job, voice_fields(None))
    back = read_job(tmp_path, fields)
    assert [task.meshes is None for task in back.frames] == [True, False, True]
    found = back.frames[1].meshes
    assert found is not None and (found.left, found.top) == (meshes.left, meshes.top)
    assert np.array_equal(found.depth, meshes.depth)
    values = np.load(tmp_path / str(fields["meshes"]))
    for wrong, reason in (
        (values[:-1], "cut off"),
        (values[:5], "cut off"),
        (np.where(np.arange(len(values)) == 4, size[1], values), "outside the picture"),
        (np.where(np.arange(len(values)) == 9, np.nan, values), "not finite"),
    ):
        np.save(tmp_path / str(fields["meshes"]), wrong.astype(np.float32))
        with pytest.raises(ProtocolError, match=reason):
            read_job(tmp_path, fields)
    plain = replace(job, frames=tasks)
    assert write_job(tmp_path, "p.npy", plain, voice_fields(None))["meshes"] == ""
