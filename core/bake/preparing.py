"""An avatar to its deformer, by what this Python can import, which happens when it is needed."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError
from ..network.deformer import Deformer
from ..network.frozen import ApproximableDeformer, Prepare
from ..records.avatar import Avatar
from ..records.gaussians import Splats, activate
from ..records.weights import NetworkWeights

Float32 = NDArray[np.float32]


class StillDeformer(Deformer):
    """An avatar without a network: the canonical head at every moment."""

    def __init__(self, avatar: Avatar) -> None:
        self._splats = activate(avatar.gaussians)

    def encode_audio(self, windows: Float32) -> Float32:
        return np.zeros(32, np.float32)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return self._splats


def preparations(torch_too: bool = True) -> list[tuple[str, Callable[[Avatar], Deformer]]]:
    """Every deformation that this Python can run, with its name."""
    found: list[tuple[str, Callable[[Avatar], Deformer]]] = [("numpy", prepare_numpy)]
    with contextlib.suppress(MissingPackageError):
        need("numba")
        found.append(("numba", prepare_numba))
    if not torch_too:
        return found
    try:
        need("torch")
    except MissingPackageError:
        return found
    import torch

    from ..system.gpu_torch import unusable

    found += [("torch CPU", torch_on("cpu")), ("torch CPU, fused", fast_torch_on("cpu"))]
    if unusable() is None:
        name = torch.cuda.get_device_name()
        found.append((f"torch {name}", torch_on("cuda")))
        found.append((f"torch {name}, fused", fast_torch_on("cuda")))
    return found


def prepare_numpy(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return StillDeformer(avatar)
    from ..network.numpy.folded_network import prepare

    return _approximable(avatar, avatar.network, prepare)


def prepare_numba(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return StillDeformer(avatar)
    from ..network.numba.network import prepare

    return _approximable(avatar, avatar.network, prepare)


def _approximable(avatar: Avatar, network: NetworkWeights, prepare: Prepare) -> Deformer:
    if avatar.frozen_gaussians is None:
        return prepare(network, avatar.gaussians)
    return ApproximableDeformer(network, avatar.gaussians, avatar.frozen_gaussians, prepare)


def torch_on(device: str) -> Callable[[Avatar], Deformer]:
    def prepare(avatar: Avatar) -> Deformer:
        if avatar.network is None:
            return StillDeformer(avatar)
        from ..network.torch.deformer import prepare_plain

        return prepare_plain(avatar.network, avatar.gaussians, device)

    return prepare


def fast_torch_on(device: str, half: bool = False) -> Callable[[Avatar], Deformer]:
    def prepare(avatar: Avatar) -> Deformer:
        if avatar.network is None:
            return StillDeformer(avatar)
        from ..network.torch.deformer import prepare_fast

        return prepare_fast(avatar.network, avatar.gaussians, device, half=half)

    return prepare


def need(package: str) -> None:
    """Import it, since an installed package may still refuse (another numpy, a missing library)."""
    try:
        importlib.import_module(package)
    except (ImportError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingPackageError(
            f"{package} cannot be used ({text}); pip install {package}, or choose another backend"
        ) from error
