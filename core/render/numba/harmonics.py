"""The spherical harmonics of render/sh.py in numba, and how they change with the direction."""

from __future__ import annotations

from ...records.arrays import Float64
from ...records.gaussians import C0
from ...system.numba_setup import compiled
from ..sh import C1, C2, C3

C20, C21, C22 = C2
C30, C31, C32, C33 = C3


@compiled
def sh_basis(out: Float64, x: float, y: float, z: float) -> None:
    """All 16 values of sh.terms at one direction into out (16,)."""
    xx, yy, zz = x * x, y * y, z * z
    out[0] = C0
    out[1], out[2], out[3] = -C1 * y, C1 * z, -C1 * x
    out[4], out[5], out[6] = C20 * x * y, -C20 * y * z, C21 * (2 * zz - xx - yy)
    out[7], out[8] = -C20 * x * z, C22 * (xx - yy)
    out[9] = -C30 * y * (3 * xx - yy)
    out[10] = C31 * x * y * z
    out[11] = -C32 * y * (4 * zz - xx - yy)
    out[12] = C33 * z * (2 * zz - 3 * xx - 3 * yy)
    out[13] = -C32 * x * (4 * zz - xx - yy)
    out[14] = C31 / 2 * z * (xx - yy)
    out[15] = -C30 * x * (xx - 3 * yy)


@compiled
def sh_direction_slope(out: Float64, s: Float64, x: float, y: float, z: float, degree: int) -> None:
    """s (16,): slopes of the terms, of which the degree has (degree + 1)^2 -> out (3,), those of
    x, y, z where each term is taken as the polynomial that sh.terms writes."""
    gx = gy = gz = 0.0
    if degree >= 1:
        gx, gy, gz = -C1 * s[3], -C1 * s[1], C1 * s[2]
    if degree >= 2:
        gx += C20 * y * s[4] - 2 * C21 * x * s[6] - C20 * z * s[7] + 2 * C22 * x * s[8]
        gy += C20 * x * s[4] - C20 * z * s[5] - 2 * C21 * y * s[6] - 2 * C22 * y * s[8]
        gz += -C20 * y * s[5] + 4 * C21 * z * s[6] - C20 * x * s[7]
    if degree >= 3:
        xx, yy, zz = x * x, y * y, z * z
        gx += (
            -6 * C30 * x * y * s[9]
            + C31 * y * z * s[10]
            + 2 * C32 * x * y * s[11]
            - 6 * C33 * x * z * s[12]
            - C32 * (4 * zz - 3 * xx - yy) * s[13]
            + C31 * x * z * s[14]
            - 3 * C30 * (xx - yy) * s[15]
        )
        gy += (
            -3 * C30 * (xx - yy) * s[9]
            + C31 * x * z * s[10]
            - C32 * (4 * zz - xx - 3 * yy) * s[11]
            - 6 * C33 * y * z * s[12]
            + 2 * C32 * x * y * s[13]
            - C31 * y * z * s[14]
            + 6 * C30 * x * y * s[15]
        )
        gz += (
            C31 * x * y * s[10]
            - 8 * C32 * y * z * s[11]
            + 3 * C33 * (2 * zz - xx - yy) * s[12]
            - 8 * C32 * x * z * s[13]
            + C31 / 2 * (xx - yy) * s[14]
        )
    out[0], out[1], out[2] = gx, gy, gz
