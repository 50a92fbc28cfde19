"""The differentiable rasteriser of a device."""

from __future__ import annotations

from importlib import util

from ...errors import ArgumentError, MissingPackageError
from .record import Splatter


def splatter_for(device: str) -> Splatter:
    """numba for "cpu", gsplat for "cuda" (a number may follow: "cuda:1"). Raises
    MissingPackageError with the reason if it cannot be used, ArgumentError for another device."""
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise ArgumentError(f"device {device!r} has no rasteriser to train with; use cpu or cuda")
    if util.find_spec("torch") is None:
        raise MissingPackageError("training needs the package torch: pip install torch")
    if kind == "cpu":
        from .numba import splat

        return splat
    from ...render.cuda.gsplat import available, load

    reason = available()
    if reason is not None:
        raise MissingPackageError(reason)
    load()  # fail before the dataset is read, which takes minutes
    from .gsplat import splat as splat_on_cuda

    return splat_on_cuda
