"""An avatar's deformer for each library, which is imported only when an avatar is prepared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..network.deformer import Deformer
from ..network.frozen import ApproximableDeformer, Prepare
from ..network.skinning import SkinnedBody
from ..records.arrays import Float32
from ..records.avatar import Avatar
from ..records.gaussians import Splats, activate
from ..records.weights import NetworkWeights


class StillDeformer(Deformer):
    """An avatar without a network: the canonical head at every moment."""

    def __init__(self, avatar: Avatar) -> None:
        self._splats = activate(avatar.gaussians)

    def encode_audio(self, windows: Float32) -> Float32:
        return np.zeros(32, np.float32)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return self._splats


def prepare_numpy(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return with_body(StillDeformer(avatar), avatar)
    from ..network.numpy.folded_network import prepare

    return with_body(_approximable(avatar, avatar.network, prepare), avatar)


def prepare_numba(avatar: Avatar) -> Deformer:
    if avatar.network is None:
        return with_body(StillDeformer(avatar), avatar)
    from ..network.numba.network import prepare

    return with_body(_approximable(avatar, avatar.network, prepare), avatar)


def with_body(deformer: Deformer, avatar: Avatar) -> Deformer:
    """The deformer, with the avatar's body under its head."""
    if avatar.body is not None:
        deformer.body = SkinnedBody(avatar.body, avatar.camera.viewmat)
    return deformer


def _approximable(avatar: Avatar, network: NetworkWeights, prepare: Prepare) -> Deformer:
    if avatar.frozen_gaussians is None:
        return prepare(network, avatar.gaussians)
    return ApproximableDeformer(network, avatar.gaussians, avatar.frozen_gaussians, prepare)


def torch_deformers(device: str, half: bool = False) -> Callable[[Avatar], Deformer]:
    """The function that prepares an avatar on that device. half: the network in half precision."""

    def prepare(avatar: Avatar) -> Deformer:
        if avatar.network is None:
            return with_body(StillDeformer(avatar), avatar)
        from ..network.torch.deformer import prepare_fast

        return with_body(prepare_fast(avatar.network, avatar.gaussians, device, half=half), avatar)

    return prepare
