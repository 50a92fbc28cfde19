"""Which differentiable rasteriser a device has."""

from __future__ import annotations

from ...errors import ArgumentError, MissingPackageError
from .record import Splatter


def splatter_for(device: str) -> Splatter:
    """ "cpu": numba; "cuda": gsplat. Raises MissingPackageError with the reason where the device's
    rasteriser cannot be used, ArgumentError for another device."""
    kind = device.partition(":")[0]
    if kind == "cpu":
        from .splat_numba_torch import splat

        return splat
    if kind == "cuda":
        from ...render.gsplat_cuda import available

        reason = available()
        if reason is not None:
            raise MissingPackageError(reason)
        from .gsplat_torch import splat as splat_on_cuda

        return splat_on_cuda
    raise ArgumentError(f"device {device!r} has no rasteriser; choose cpu or cuda")
