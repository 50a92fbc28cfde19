"""The body: skinned to the head, in the same cloud on every path."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from core.avatar.motion import moment_at
from core.avatar.rotations import rotation_matrix
from core.bake.backends import backend_named
from core.bake.plan import training_tasks
from core.engine.builtin import BuiltinEngine
from core.network.deformer import splats_at
from core.network.skinning import SkinnedBody, quaternion_of
from core.records.arrays import Float64
from core.records.body import Body
from core.records.camera import pose_vector, viewmat_of_pose
from core.records.gaussians import Splats, activate
from core.render.projection import rotations
from core.worker.exchange import moment_fields, moment_from, read_job, voice_fields, write_job
from tests.support.synthetic import random_body
from tests.support.talking import job_for, small_bust, sound

REST = np.array([[1.0, 0, 0, 0.1], [0, -1, 0, 0.2], [0, 0, -1, 7.5], [0, 0, 0, 1]])


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0, shift: float = 0.0) -> Float64:
    """The still pose with the head turned by degrees and moved, decimetres."""
    motion = np.eye(4)
    motion[:3, :3] = rotation_matrix(np.radians((pitch, yaw, roll)))
    motion[:3, 3] = shift
    return REST @ motion


def plain(body: Body, motion: Float64) -> Splats:
    """Linear blend skinning, one Gaussian after another."""
    still = activate(body.gaussians())
    means, quats = [], []
    w, x, y, z = quaternion_of(motion[:3, :3])
    for mean, quat, weight in zip(still.means, still.quats, body.weights, strict=True):
        there = motion[:3, :3] @ mean + motion[:3, 3]
        means.append(weight * mean + (1 - weight) * there)
        a, b, c, d = quat
        product = np.array(
            [
                w * a - x * b - y * c - z * d,
                w * b + x * a + y * d - z * c,
                w * c - x * d + y * a + z * b,
                w * d + x * c - y * b + z * a,
            ]
        )
        blended = weight * quat + (1 - weight) * product
        quats.append(blended / np.linalg.norm(blended))
    return replace(still, means=np.array(means), quats=np.array(quats))


@pytest.mark.parametrize("angles", [(25, 0, 0), (-25, 15, -15), (170, 0, 0), (0, -80, 60)])
def test_a_turned_head_leaves_the_body_behind(angles: tuple[float, float, float]) -> None:
    body, pose = random_body(), pose_vector(turned(*angles, shift=0.3))
    skinned = SkinnedBody(body, REST)
    found, expected = skinned.at(pose), plain(body, skinned.motion(pose, None))
    for name in vars(found):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=2e-6)
    # Seen by the camera, what does not follow the head stands still, and what follows it moves.
    view = turned(*angles, shift=0.3)
    seen = found.means @ view[:3, :3].T + view[:3, 3]
    still = body.means @ REST[:3, :3].T + REST[:3, 3]
    free = body.weights == 0
    assert free.any() and np.abs(seen - still)[free].max() < 1e-5
    assert np.array_equal(found.means[body.weights == 1], body.means[body.weights == 1])


def test_at_the_still_pose_the_body_is_as_stored() -> None:
    body = random_body()
    found, still = SkinnedBody(body, REST).at(pose_vector(REST)), activate(body.gaussians())
    for name in vars(found):
        np.testing.assert_allclose(getattr(found, name), getattr(still, name), atol=1e-6)


def test_a_swaying_body_moves_before_the_camera() -> None:
    body, sway = random_body(), turned(3, 1, -2, shift=0.1)
    found = SkinnedBody(body, REST).at(pose_vector(REST), pose_vector(sway))
    seen = found.means @ REST[:3, :3].T + REST[:3, 3]
    expected = body.means @ sway[:3, :3].T + sway[:3, 3]
    free = body.weights == 0
    assert np.abs(seen - expected)[free].max() < 1e-5


def test_quaternions_are_those_of_their_rotations() -> None:
    rng = np.random.default_rng(0)
    for vector in [*rng.normal(0, 1.5, (40, 3)), *(np.pi * np.eye(3)), np.zeros(3)]:
        rotation = rotation_matrix(vector)
        quat = quaternion_of(rotation)
        assert quat[0] >= 0
        np.testing.assert_allclose(rotations(quat[None])[0], rotation, atol=1e-12)


def test_a_pose_is_read_back_from_its_vector() -> None:
    view = turned(20, 10, 5, shift=0.2)
    np.testing.assert_allclose(viewmat_of_pose(pose_vector(view)), view, atol=1e-6)


# torch -----------------------------------------------------------------------------------------


def test_torch_moves_a_batch_as_numpy_moves_a_frame() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = import_module("core.network.torch.skinning")
    network = import_module("core.network.torch.network")
    body, head = random_body(), random_body(30, seed=1).gaussians()
    skinned = SkinnedBody(body, REST)
    poses = [pose_vector(turned(*angles)) for angles in ((0, 0, 0), (25, -15, 15), (-20, 3, 9))]
    motion = [
        torch.from_numpy(a) for a in module.motion_arrays([skinned.motion(p, None) for p in poses])
    ]
    shared = network.RawTensors(*(v[None] for v in network.raw_tensors(head)))
    for first in (shared, network.RawTensors(*(v.repeat(3, *[1] * (v.ndim - 1)) for v in shared))):
        found = module.BodyTensors(body, torch.device("cpu")).behind(first, motion)
        for frame, pose in enumerate(poses):
            expected = skinned.at(pose)
            np.testing.assert_allclose(found.means[frame, 30:], expected.means, atol=2e-6)
            quats = torch.nn.functional.normalize(found.quats[frame, 30:], dim=-1)
            np.testing.assert_allclose(quats, expected.quats, atol=2e-6)
            np.testing.assert_array_equal(found.means[frame, :30], head.means)
            np.testing.assert_array_equal(found.sh[frame, 30:, 0], body.colours)


def test_gradients_of_skinning_are_finite_differences() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    module = import_module("core.network.torch.skinning")
    body = random_body(5)
    motions = [SkinnedBody(body, REST).motion(pose_vector(turned(25, 10, -15, 0.2)), None)]
    motion = [torch.from_numpy(a).double() for a in module.motion_arrays(motions)]
    inputs = [
        torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for value in (body.means, body.quats, body.weights)
    ]
    assert torch.autograd.gradcheck(lambda *values: module.skinned(*values, motion), inputs)


# One cloud -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_the_body_follows_the_head_in_the_same_cloud(tmp_path: Path, name: str) -> None:
    avatar = small_bust(tmp_path / "bust.egs")
    assert avatar.body is not None
    n, m = len(avatar.gaussians), len(avatar.body)
    backend = backend_named(name)
    moment = moment_at(avatar, 5.5 / 25)
    whole = splats_at(backend.prepare(avatar), sound(), moment)
    alone = splats_at(backend.prepare(replace(avatar, body=None)), sound(), moment)
    assert len(whole) == avatar.splats == n + m
    body = SkinnedBody(avatar.body, avatar.camera.viewmat).at(moment.pose, moment.body_pose)
    for key in vars(whole):
        assert np.array_equal(getattr(whole, key)[:n], getattr(alone, key))
        assert np.array_equal(getattr(whole, key)[n:], getattr(body, key))
    faded = splats_at(backend.prepare(avatar), sound(), replace(moment, opacity=0.5))
    np.testing.assert_allclose(faded.opacities, whole.opacities * 0.5)
    assert len(BuiltinEngine(name).deform(avatar, sound(), moment)) == n + m


def test_the_track_moves_the_body_only_where_it_moves_the_head(tmp_path: Path) -> None:
    avatar = small_bust(tmp_path / "bust.egs")
    assert avatar.track is not None and avatar.track.bodies is not None
    moving = moment_at(avatar, 3 / 25).body_pose
    assert moving is not None
    np.testing.assert_array_equal(moving, pose_vector(avatar.track.bodies[3]))
    assert moment_at(avatar, 3 / 25, "still").body_pose is None
    assert moment_at(replace(avatar, track=None), 3 / 25).body_pose is None


def test_the_body_s_pose_reaches_the_worker(tmp_path: Path) -> None:
    avatar = small_bust(tmp_path / "bust.egs")
    for pose in ("track", "still"):
        job = replace(
            job_for(tmp_path / "bust.egs", avatar, tmp_path),
            frames=training_tasks(avatar, range(2, 5), pose=pose),
        )
        fields = write_job(tmp_path, "frames.npy", job, voice_fields(None))
        there = read_job(tmp_path, fields).frames
        for ours, theirs in zip(job.frames, there, strict=True):
            alone = moment_from(moment_fields(ours.moment))
            for moment in (theirs.moment, alone):
                assert (moment.body_pose is None) == (pose == "still")
                if moment.body_pose is not None:
                    assert np.array_equal(moment.body_pose, ours.moment.body_pose)
                assert np.array_equal(moment.pose, ours.moment.pose)
