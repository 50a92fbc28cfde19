"""Splats in the world: scaled, turned and moved, harmonics included.

A file with a transform of its own gets the scale in the splats and the rigid motion as transform;
one without gets all of it in the splats.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..network.skinning import left_product, quaternion_of
from ..records.arrays import Float32, Float64
from ..records.gaussians import SH_COEFFICIENTS, Splats
from .sh import terms

DIRECTIONS = 64  # more than the 16 unknowns
Y_DOWN: Float64 = np.diag([1.0, -1.0, -1.0, 1.0])  # x right, y down, z away: of 3DGS files


def split(place: Float64) -> tuple[Float64, float]:
    """(rigid (4, 4), scale): place is the scale, then the rigid motion."""
    scale = float(np.linalg.norm(place[:3, :3], axis=0).mean())
    rigid = place.copy()
    u, _, vt = np.linalg.svd(place[:3, :3])
    rigid[:3, :3] = u @ vt
    return rigid, scale


def scaled(splats: Splats, scale: float) -> Splats:
    factor = np.float32(scale)
    return replace(splats, means=splats.means * factor, scales=splats.scales * factor)


def moved(splats: Splats, place: Float64) -> Splats:
    """The splats after a rotation, a translation and a uniform scale (4, 4)."""
    rigid, scale = split(place)
    rotation = rigid[:3, :3]
    grown = scaled(splats, scale)
    turn = left_product(quaternion_of(rotation)).T.astype(np.float32)
    means = grown.means @ rotation.T.astype(np.float32) + rigid[:3, 3].astype(np.float32)
    return replace(grown, means=means, quats=grown.quats @ turn, sh=turned(splats.sh, rotation))


def turned(sh: Float32, rotation: Float64) -> Float32:
    """sh (N, 16, 3) -> the coefficients of the same colours seen after the rotation (3, 3). Each
    degree only mixes with itself."""
    mix = np.eye(SH_COEFFICIENTS)
    for order, matrix in enumerate(sh_rotations(rotation), start=1):
        rows = slice(order**2, (order + 1) ** 2)
        mix[rows, rows] = matrix
    # All colours in one product: N small ones take six times as long.
    of_all = np.kron(mix, np.eye(3)).astype(np.float32)
    return np.asarray(sh.reshape(len(sh), -1) @ of_all.T, np.float32).reshape(sh.shape)


def sh_rotations(rotation: Float64) -> list[Float64]:
    """The matrices (3, 3), (5, 5), (7, 7) that turn the coefficients of degrees 1 to 3: a turned
    function has at d the value that it had at rotation^T d; solved from many directions."""
    directions = np.random.default_rng(0).normal(size=(DIRECTIONS, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    after, before = _basis(directions), _basis(directions @ rotation)
    found: list[Float64] = []
    for order in range(1, 4):
        rows = slice(order**2, (order + 1) ** 2)
        found.append(np.linalg.pinv(after[:, rows]) @ before[:, rows])
    return found


def _basis(directions: Float64) -> Float64:
    """(D, 3) unit vectors -> (D, 16)."""
    x, y, z = directions.T
    return np.stack(terms(x, y, z, 3), axis=1)
