"""The network in torch: a module to train, which also computes batches of frames."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...records.gaussians import ATTRIBUTES, Gaussians
from ...records.weights import NetworkWeights
from ..architecture import COLUMNS, architecture_of
from ..checks import check_weights, expected_shapes
from ..names import CONSTANTS, ENCODER, HASH_LEVELS, HEADS
from ..numpy.audio_net import feature_dim
from . import compiled_layers, layers


class RawTensors(NamedTuple):
    """Gaussians before activation, as `gaussians.Gaussians`: canonical (N, ...) or of a batch of
    frames (B, N, ...). sh (..., N, 16, 3); opacity_logits (..., N)."""

    means: Tensor
    log_scales: Tensor
    quats: Tensor
    opacity_logits: Tensor
    sh: Tensor


class FirstAttention(NamedTuple):
    """The part of the first layer's attention that does not depend on the frame: the agents (A, 64)
    and the Gaussians' attention to them, shares (N, A)."""

    agents: Tensor
    shares: Tensor


FIXED = ("tri_plane.grid.aabb", HASH_LEVELS, *CONSTANTS)


class TorchNetwork(nn.Module):
    """Parameters under their official names, as in `state_dict`; those in FIXED are not trained.
    Tensors that neither inference nor the coarse stage reads are left out."""

    def __init__(self, weights: NetworkWeights, compiled: bool = False) -> None:
        """compiled: `features`, `first_attention` and `moved` use numba's kernels where they can
        (compiled_layers.py), for training. Raises CheckpointError."""
        super().__init__()
        self._compiled = compiled
        check_weights(weights)
        self._weights, self._architecture = weights, architecture_of(weights)
        self.audio_dim = feature_dim(weights.arrays)
        for name in expected_shapes(weights.kind, weights.arrays):
            tensor = torch.from_numpy(np.array(weights.arrays[name]))
            parameter = nn.Parameter(tensor, requires_grad=name not in FIXED)
            _register(self, name, parameter)

    def to_weights(self) -> NetworkWeights:
        """The current values, for inference or a file."""
        arrays = {name: p.detach().cpu().numpy().copy() for name, p in self.named_parameters()}
        w = self._weights
        return NetworkWeights(w.kind, arrays, w.frozen, w.agents, w.heads)

    def parameters_by_name(self) -> dict[str, Tensor]:
        return dict(self.named_parameters())

    def features(self, means: Tensor) -> Tensor:
        """means (N, 3) -> (N, 64): the network's only input that depends on the Gaussians."""
        p = self.parameters_by_name()
        if not self._architecture.encoder:
            return layers.features(p, means)
        if self._compiled and compiled_layers.usable(p, ENCODER, means):
            return compiled_layers.encoded(p, means)
        return layers.encoded(p, means)

    def first_attention(self, x: Tensor) -> FirstAttention | None:
        """x (N, 64). None for multi-head attention, all of which depends on the frame."""
        architecture = self._architecture
        if not architecture.esaa:
            return None
        p, sizes = self.parameters_by_name(), (architecture.agents, architecture.heads)
        if self._compiled and compiled_layers.usable(p, None, x):
            return FirstAttention(*compiled_layers.esaa_shares(p, 0, x, *sizes))
        return FirstAttention(*layers.esaa_shares(p, 0, x, *sizes))

    def encode_audio(self, windows: Tensor) -> Tensor:
        """windows (B, 8, D, W) -> codes (B, 32)."""
        return layers.encode_audio(self.parameters_by_name(), windows)

    def static_attributes(self, means: Tensor) -> dict[str, Tensor]:
        """The coarse stage: see layers.static_attributes."""
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
        strength: Tensor | float = 1.0,
    ) -> tuple[RawTensors, Tensor]:
        """`forward`, given what frames share: x (N, 64) and `first`, of the same means. codes
        (B, 32); strength: of all frames, or (B, 1, 1)."""
        p = self.parameters_by_name()
        token = layers.tokens(p, codes, eyes, poses)
        x = x[None]
        shown = x
        for layer in range(self._architecture.layers):
            attended, shown = self._attend(p, layer, x, token, first)
            x = layers.feed_forward(p, layer, x, attended)
        offsets = {name: offset * strength for name, offset in self._offsets(p, x).items()}
        return moved_by(canonical, offsets, len(codes)), shown

    def moved(
        self,
        canonical: RawTensors,
        x: Tensor,
        first: FirstAttention | None,
        codes: Tensor,
        eyes: Tensor,
        poses: Tensor,
    ) -> RawTensors:
        """`deform` without the attention, as training needs it."""
        p, architecture = self.parameters_by_name(), self._architecture
        if not (self._compiled and first and compiled_layers.can_move(p, architecture, x)):
            return self.deform(canonical, x, first, codes, eyes, poses)[0]
        token = layers.tokens(p, codes, eyes, poses)
        keys = layers.indexed(token) if architecture.positions else token
        mix = layers.agent_mix(first.agents, keys, architecture.heads)
        decoded = compiled_layers.offsets(p, 0, x, first.shares, mix, keys)
        return moved_by(canonical, self._by_attribute(decoded), len(codes))

    def _attend(
        self,
        p: dict[str, Tensor],
        layer: int,
        x: Tensor,
        token: Tensor,
        first: FirstAttention | None,
    ) -> tuple[Tensor, Tensor]:
        architecture, heads = self._architecture, self._architecture.heads
        if not architecture.esaa:
            return layers.multi_head(p, layer, x, token, heads)
        if layer == 0 and first is not None:
            agents, shares = first
        else:
            agents, shares = layers.esaa_shares(p, layer, x, architecture.agents, heads)
        keys = layers.indexed(token) if architecture.positions else token
        return layers.esaa(agents, shares, keys, heads)

    def _offsets(self, p: dict[str, Tensor], hidden: Tensor) -> dict[str, Tensor]:
        """hidden (B, N, 64) -> attribute -> (B, N, `architecture.widths`)."""
        if self._architecture.decoder:
            return self._by_attribute(layers.decoded(p, hidden))
        hidden = hidden.relu()
        return {
            attribute: layers.head(p, name, hidden)
            for name, (attribute, _) in HEADS.items()
            if attribute in self._architecture.widths
        }

    def _by_attribute(self, decoded: Tensor) -> dict[str, Tensor]:
        """decoded (B, N, 14)"""
        # One split: the gradient of each slice would fill an array of its own.
        parts = decoded.split([own.stop - own.start for own in COLUMNS.values()], dim=-1)
        every = dict(zip(COLUMNS, parts, strict=True))
        return {name: every[name] for name in self._architecture.widths}


def moved_by(canonical: RawTensors, offsets: dict[str, Tensor], batch: int) -> RawTensors:
    """canonical (N, ...) plus offsets (B, N, width), which may cover only the first values of an
    attribute; one without offsets is one array for all frames (`expand`)."""
    moved = []
    for value, attribute in zip(canonical, ATTRIBUTES, strict=True):
        every = value.expand(batch, *value.shape)
        offset = offsets.get(attribute.name)
        if offset is None:
            moved.append(every)
            continue
        width = offset.shape[2]
        flat = every.flatten(2) if every.dim() > 2 else every[..., None]
        if width < attribute.width:
            first, rest = flat.split([width, flat.shape[2] - width], dim=2)
            moved.append(torch.cat([first + offset, rest], dim=2).reshape(every.shape))
        else:
            moved.append((flat + offset).reshape(every.shape))
    return RawTensors(*moved)


def raw_tensors(gaussians: Gaussians, device: torch.device | str = "cpu") -> RawTensors:
    arrays = (vars(gaussians)[name] for name in RawTensors._fields)
    return RawTensors(*(torch.from_numpy(np.array(a, np.float32)).to(device) for a in arrays))


def _register(root: nn.Module, name: str, parameter: nn.Parameter) -> None:
    """Register a parameter under a dotted name and make the modules that it names."""
    *path, leaf = name.split(".")
    module = root
    for step in path:
        if step not in module._modules:
            module.add_module(step, nn.Module())
        module = module.get_submodule(step)
    module.register_parameter(leaf, parameter)
