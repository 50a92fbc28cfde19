"""The network in torch: a module to train, and a `Deformer` that works on the CPU or with CUDA."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...records.gaussians import Gaussians, Splats, activate
from ...records.weights import PAPER, NetworkWeights
from ..checks import check_weights, expected_shapes
from ..names import EYE_FREQUENCIES, HEADS, POSE_MEAN, POSE_SCALE, PPE, layer_count
from ..numpy.attention import has_agents, heads_of
from ..numpy.audio_net import check_windows, feature_dim
from ..numpy.basics import Float32
from ..paper import COLUMNS
from . import layers


class RawTensors(NamedTuple):
    """Gaussians before activation, as `gaussians.Gaussians`: canonical (N, ...) or of a batch of
    frames (B, N, ...). sh (..., N, 16, 3); opacity_logits (..., N)."""

    means: Tensor
    log_scales: Tensor
    quats: Tensor
    opacity_logits: Tensor
    sh: Tensor


class FirstAttention(NamedTuple):
    """What of the first layer's attention does not depend on the frame."""

    agents: Tensor
    shares: Tensor


FIXED = ("tri_plane.grid.aabb", EYE_FREQUENCIES, POSE_MEAN, POSE_SCALE, PPE)


class TorchNetwork(nn.Module):
    """Parameters under their names (`state_dict` has them), those in FIXED not trained. Tensors
    that neither inference nor the coarse stage reads are left out."""

    def __init__(self, weights: NetworkWeights) -> None:
        """Raises CheckpointError."""
        super().__init__()
        check_weights(weights)
        self._weights = weights
        self._heads = heads_of(weights)
        self._layers = layer_count(weights.arrays)
        self.audio_dim = feature_dim(weights.arrays)
        for name in expected_shapes(weights.kind, weights.arrays):
            tensor = torch.from_numpy(np.array(weights.arrays[name]))
            parameter = nn.Parameter(tensor, requires_grad=name not in FIXED)
            _plant(self, name, parameter)

    def to_weights(self) -> NetworkWeights:
        """The present values, for inference or a file."""
        arrays = {name: p.detach().cpu().numpy().copy() for name, p in self.named_parameters()}
        w = self._weights
        return NetworkWeights(w.kind, arrays, w.frozen, w.agents, w.heads)

    def parameters_by_name(self) -> dict[str, Tensor]:
        return dict(self.named_parameters())

    def features(self, means: Tensor) -> Tensor:
        """means (N, 3) -> (N, 64): all that the network sees of the Gaussians."""
        p = self.parameters_by_name()
        return (
            layers.encoded(p, means) if self._weights.kind == PAPER else layers.features(p, means)
        )

    def first_attention(self, x: Tensor) -> FirstAttention | None:
        """x (N, 64). None for multi-head attention, which has nothing to keep."""
        w = self._weights
        if not has_agents(w):
            return None
        p = self.parameters_by_name()
        return FirstAttention(*layers.esaa_shares(p, 0, x, w.agents, self._heads))

    def encode_audio(self, windows: Tensor) -> Tensor:
        """windows (B, 8, D, W) -> codes (B, 32)."""
        return layers.encode_audio(self.parameters_by_name(), windows)

    def static_attributes(self, means: Tensor) -> dict[str, Tensor]:
        """The coarse stage: see static_heads.py."""
        return layers.static_attributes(self.parameters_by_name(), means)

    def forward(
        self, canonical: RawTensors, windows: Tensor, eyes: Tensor, poses: Tensor
    ) -> tuple[RawTensors, Tensor]:
        """windows (B, 8, D, W), eyes (B,) float64, poses (B, 12) -> raw values of the frames and
        "attention" (B, N, 4), see attention.py."""
        codes = self.encode_audio(windows)
        x = self.features(canonical.means)
        return self.deform(canonical, x, self.first_attention(x), codes, eyes, poses)

    def deform(
        self,
        canonical: RawTensors,
        x: Tensor,
        first: FirstAttention | None,
        codes: Tensor,
        eyes: Tensor,
        poses: Tensor,
        strength: float = 1.0,
    ) -> tuple[RawTensors, Tensor]:
        """`forward` from what may be kept between frames: x (N, 64) and `first`, of the same
        means; codes (B, 32)."""
        p = self.parameters_by_name()
        token = layers.tokens(p, codes, eyes, poses)
        x = x[None]
        shown = x
        for layer in range(self._layers):
            attended, shown = self._attend(p, layer, x, token, first)
            x = layers.feed_forward(p, layer, x, attended)
        move = self._move_together if self._weights.kind == PAPER else self._move
        return move(p, canonical, x, strength), shown

    def _attend(
        self,
        p: dict[str, Tensor],
        layer: int,
        x: Tensor,
        token: Tensor,
        first: FirstAttention | None,
    ) -> tuple[Tensor, Tensor]:
        w = self._weights
        if not has_agents(w):
            return layers.multi_head(p, layer, x, token, self._heads)
        if layer == 0 and first is not None:
            agents, shares = first
        else:
            agents, shares = layers.esaa_shares(p, layer, x, w.agents, self._heads)
        keys = token if w.kind == PAPER else layers.indexed(token)
        return layers.esaa(agents, shares, keys, self._heads)

    def _move(
        self, p: dict[str, Tensor], canonical: RawTensors, hidden: Tensor, strength: float
    ) -> RawTensors:
        batch = len(hidden)
        hidden = hidden.relu()
        moved = []
        for value, (name, (attribute, _)) in zip(canonical, HEADS.items(), strict=True):
            if attribute in self._weights.frozen:
                moved.append(value.expand(batch, *value.shape))
            else:
                offset = layers.head(p, name, hidden) * strength
                moved.append(value + offset.reshape(batch, *value.shape))
        return RawTensors(*moved)

    def _move_together(
        self, p: dict[str, Tensor], canonical: RawTensors, hidden: Tensor, strength: float
    ) -> RawTensors:
        """The one decoder of a "paper" network."""
        batch = len(hidden)
        offsets = layers.decoded(p, hidden) * strength
        moved = []
        for value, (attribute, columns) in zip(canonical, COLUMNS.items(), strict=True):
            if attribute in self._weights.frozen:
                moved.append(value.expand(batch, *value.shape))
                continue
            offset = offsets[..., columns]
            if attribute == "sh":
                first = value[:, :1] + offset[..., None, :]
                rest = value[:, 1:].expand(batch, *value[:, 1:].shape)
                moved.append(torch.cat([first, rest], dim=2))
            else:
                moved.append(value + offset.reshape(batch, *value.shape))
        return RawTensors(*moved)


class TorchDeformer:
    """Implements `Deformer`, one frame at a time so that a frame does not depend on its
    neighbours. Made by `prepare_torch`."""

    def __init__(self, network: TorchNetwork, canonical: RawTensors) -> None:
        self.network, self.canonical = network, canonical
        self._device = canonical.means.device
        with torch.no_grad():
            self._features = network.features(canonical.means)
            self._first = network.first_attention(self._features)

    def encode_audio(self, windows: Float32) -> Float32:
        """windows (8, D, W) -> code (32,). Raises FeatureMismatchError."""
        check_windows(self.network.audio_dim, windows)
        with torch.no_grad():
            code = self.network.encode_audio(self._tensor(windows)[None])
        return np.asarray(code[0].cpu().numpy(), np.float32)

    def deform(self, code: Float32, eye: float, pose: Float32, strength: float) -> Splats:
        return activate(self.deform_raw(code, eye, pose, strength))

    def deform_raw(self, code: Float32, eye: float, pose: Float32, strength: float) -> Gaussians:
        """As `deform`, before activation."""
        eyes = torch.tensor([float(eye)], dtype=torch.float64, device=self._device)
        moved = self.deform_tensors(
            self._tensor(code)[None], eyes, self._tensor(pose)[None], strength
        )
        return Gaussians(*(value[0].cpu().numpy() for value in moved))

    def deform_tensors(
        self, codes: Tensor, eyes: Tensor, poses: Tensor, strength: float
    ) -> RawTensors:
        """codes (B, 32), eyes (B,) float64, poses (B, 12), all on the device -> raw values there,
        (B, N, ...)."""
        with torch.no_grad():
            moved, _ = self.network.deform(
                self.canonical, self._features, self._first, codes, eyes, poses, strength
            )
        return moved

    def _tensor(self, array: Float32) -> Tensor:
        return torch.from_numpy(np.array(array, np.float32)).to(self._device)


def prepare_torch(
    weights: NetworkWeights, gaussians: Gaussians, device: str = "cpu"
) -> TorchDeformer:
    """device: "cpu", "cuda" or "cuda:1". Raises CheckpointError."""
    check_weights(weights, gaussians)
    network = TorchNetwork(weights).to(device).requires_grad_(False)
    return TorchDeformer(network, raw_tensors(gaussians, device))


def raw_tensors(gaussians: Gaussians, device: str = "cpu") -> RawTensors:
    g = gaussians
    arrays = (g.means, g.log_scales, g.quats, g.opacity_logits, g.sh)
    return RawTensors(*(torch.from_numpy(np.array(a, np.float32)).to(device) for a in arrays))


def _plant(root: nn.Module, name: str, parameter: nn.Parameter) -> None:
    """Register a parameter under a dotted name, making the modules on the way."""
    *path, leaf = name.split(".")
    module = root
    for step in path:
        if step not in module._modules:
            module.add_module(step, nn.Module())
        module = module.get_submodule(step)
    module.register_parameter(leaf, parameter)
