"""The body in the head's frame at one moment: linear blend skinning between head and body.

The cloud, its harmonics and every camera stay in the head's frame, where the network works, so the
body moves against the head: by the inverse of the head's motion on it. A Gaussian of weight w stays
with the head by the share w:

    mean = w * mean + (1 - w) * motion * mean      quat = w * quat + (1 - w) * turn * quat

Shape and opacity do not change, and neither do colours, which have no harmonics above degree 0.
At the still pose the motion is the identity. torch/skinning.py is the same for batches.
"""

from __future__ import annotations

import numpy as np

from ..records.arrays import Float32, Float64
from ..records.body import Body
from ..records.camera import viewmat_of_pose
from ..records.gaussians import Splats, activate


class SkinnedBody:
    """The body of one avatar. rest (4, 4): the viewmat of the still pose."""

    def __init__(self, body: Body, rest: Float64) -> None:
        self._rest = rest
        self._still = activate(body.gaussians())
        self._free = (1 - body.weights)[:, None].astype(np.float32)

    def __len__(self) -> int:
        return len(self._still)

    def motion(self, pose: Float32, body_pose: Float32 | None) -> Float64:
        """(4, 4) rigid, body's frame -> head's frame. pose (12,): the head's; body_pose (12,): the
        body's, None where it is still. Both as `pose_vector`."""
        body = self._rest if body_pose is None else viewmat_of_pose(body_pose)
        return rigid_inverse(viewmat_of_pose(pose)) @ body

    def at(self, pose: Float32, body_pose: Float32 | None = None) -> Splats:
        """(M,) splats in the head's frame; the arguments are those of `motion`."""
        motion = self.motion(pose, body_pose)
        still, free = self._still, self._free
        offset = motion.copy()
        offset[:3, :3] -= np.eye(3)
        means = still.means @ offset[:3, :3].T.astype(np.float32) + offset[:3, 3].astype(np.float32)
        means = still.means + free * means
        turn = quaternion_of(motion[:3, :3])
        turn[0] -= 1
        quats = still.quats + free * (still.quats @ left_product(turn).T.astype(np.float32))
        length = np.sqrt(np.einsum("ij,ij->i", quats, quats))[:, None]
        quats /= np.maximum(length, np.float32(1e-12))
        return Splats(means, quats, still.scales, still.opacities, still.sh)


def rigid_inverse(matrix: Float64) -> Float64:
    """(4, 4) of a rotation and a translation."""
    out = np.eye(4)
    out[:3, :3] = matrix[:3, :3].T
    out[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return out


def quaternion_of(rotation: Float64) -> Float64:
    """(3, 3) -> (4,) w, x, y, z with w >= 0, so that blending takes the shorter way (Shepperd
    1978: the largest component is computed first)."""
    r = rotation
    trace = float(np.trace(r))
    squares = np.array([trace, r[0, 0], r[1, 1], r[2, 2]])
    first = int(squares.argmax())
    twice = [
        [1 + trace, r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
        [r[2, 1] - r[1, 2], 1 + 2 * r[0, 0] - trace, r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
        [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], 1 + 2 * r[1, 1] - trace, r[1, 2] + r[2, 1]],
        [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 1 + 2 * r[2, 2] - trace],
    ][first]
    quat = np.array(twice)
    quat /= max(float(np.linalg.norm(quat)), 1e-12)
    return -quat if quat[0] < 0 else quat


def left_product(quat: Float64) -> Float64:
    """(4, 4): the matrix that multiplies a quaternion by `quat` from the left."""
    w, x, y, z = quat
    return np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
