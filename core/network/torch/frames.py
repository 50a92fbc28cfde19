"""Batches of frames on a device, by exact re-association of the network (docs/method.md §9.2): what
does not depend on the frame is computed once, and what frames share is multiplied once.

    shares (N, A) of the agents, and all frames' agents (A, 4 B) meet first: N x 4 numbers a frame
    the second bias of the feed-forward goes into the first norm, so that its sum is one product
    the first layers of the heads are one matrix (64, 640), the second ones two
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ...records.weights import EGSTALKER, GAUSSIANTALKER, PAPER, NetworkWeights
from .. import names
from ..names import layer_count, layer_prefix
from ..numpy.attention import heads_of
from ..numpy.tokens import EYE_FREQUENCIES, positions
from . import layers
from .merged import MergedLayer
from .network import RawTensors, TorchNetwork

# Bytes that the widest array between two products may take: of a GPU's memory, of a CPU's cache.
WIDEST = {"cuda": 1 << 29, "cpu": 1 << 22}
ATTRIBUTES = ("means", "scales", "quats", "opacities", "sh")  # of RawTensors, as heads name them


Inputs = tuple[Tensor, ...]
"""What the network makes of a frame's sound, eyes and pose; first axis: frames."""


class Frames(Protocol):
    """Many frames of one avatar at once. Nothing of one frame enters another."""

    def prepared(self, codes: Tensor, eyes: Tensor, poses: Tensor) -> Inputs:
        """codes (B, 32) and poses (B, 12) float32, eyes (B,) float64, on the device. Of as many
        frames as one likes: a clip costs little more than a frame."""
        ...

    def __call__(self, inputs: Inputs, strengths: Tensor) -> RawTensors:
        """strengths (B,) float32 -> raw values on the device, (B, N, ...) float32; an attribute
        that no frame moves may be one array for all (`expand`)."""
        ...


class Mixed(NamedTuple):
    """Gaussian n of frame b takes sum over m of shares[n, b, m] * values[b, m]."""

    shares: Tensor
    values: Tensor


def frames_of(
    weights: NetworkWeights,
    network: TorchNetwork,
    canonical: RawTensors,
    half: bool = False,
    compiled: bool = False,
) -> Frames:
    """The fastest that this network has: `PlainFrames` where it is of another kind than those
    known here, or has more than one layer, since then the products differ."""
    if weights.kind in (EGSTALKER, GAUSSIANTALKER, PAPER) and layer_count(weights.arrays) == 1:
        return FastFrames(weights, network, canonical, half, compiled)
    return PlainFrames(network, canonical)


class PlainFrames:
    """`TorchNetwork.deform` as it is."""

    def __init__(self, network: TorchNetwork, canonical: RawTensors) -> None:
        self._network, self._canonical = network, canonical
        with torch.no_grad():
            self._features = network.features(canonical.means)
            self._first = network.first_attention(self._features)

    def prepared(self, codes: Tensor, eyes: Tensor, poses: Tensor) -> Inputs:
        return codes, eyes, poses

    @torch.no_grad()
    def __call__(self, inputs: Inputs, strengths: Tensor) -> RawTensors:
        codes, eyes, poses = inputs
        moved, _ = self._network.deform(
            self._canonical, self._features, self._first, codes, eyes, poses,
            strengths[:, None, None],
        )  # fmt: skip
        return moved


class FastFrames:
    """half: feed-forward and heads in float16, sums of products in float32; the attention, whose
    token of the head's pose reaches hundreds, and the canonical values that offsets are added to
    stay float32. compiled: through torch.compile where that works; `reason` says why it did not."""

    def __init__(
        self,
        weights: NetworkWeights,
        network: TorchNetwork,
        canonical: RawTensors,
        half: bool = False,
        compiled: bool = False,
    ) -> None:
        self._canonical, self._device = canonical, canonical.means.device
        self._parameters = network.parameters_by_name()
        self._heads = heads_of(weights)
        with torch.no_grad():
            self._x = network.features(canonical.means)
            first = network.first_attention(self._x)
        self._agents: Tensor | None = first.agents if first else None
        self._shares: Tensor | None = first.shares if first else None
        dim = self._x.shape[1]
        indexed = positions(4, dim) if weights.kind != PAPER else np.zeros((4, dim), np.float32)
        self._positions = torch.from_numpy(indexed).to(self._device)
        waves = weights.arrays.get(names.EYE_FREQUENCIES, EYE_FREQUENCIES)
        self._waves = torch.from_numpy(np.array(waves, np.float64)).to(self._device)
        if half:  # or cuBLAS may add parts of a sum in float16; of this process
            torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        self._layer = MergedLayer(weights, self._device, torch.float16 if half else torch.float32)
        self.reason = ""
        self._move = self._compiled() if compiled else self._layer.offsets

    @torch.no_grad()
    def prepared(self, codes: Tensor, eyes: Tensor, poses: Tensor) -> Inputs:
        """The four tokens, (B, 4, 64); as torch_layers.tokens, without its copies to the device."""
        p = self._parameters
        if names.POSE_MEAN in p:
            poses = (poses - p[names.POSE_MEAN]) * p[names.POSE_SCALE]
        phase = eyes[:, None] * self._waves
        wave = torch.stack([phase.sin(), phase.cos()], dim=2).flatten(1).float()
        audio = layers.token_mlp(p, "audio_mlp", codes)
        null = p["null_vector"].reshape(1, -1).expand_as(audio)
        eye, pose = layers.token_mlp(p, "eye_mlp", wave), layers.token_mlp(p, "cam_mlp", poses)
        return (torch.stack([audio, eye, pose, null], dim=1),)

    @torch.no_grad()
    def __call__(self, inputs: Inputs, strengths: Tensor) -> RawTensors:
        (tokens,) = inputs
        batch, count = len(tokens), len(self._x)
        mixed = self._multi_head(tokens) if self._agents is None else self._esaa(tokens)
        moved: dict[str, Tensor] = {}
        for rows in self._slices(batch):
            shares = mixed.shares[rows].transpose(0, 1)
            offsets = self._move(self._x[rows], shares, mixed.values)
            for name, offset in zip(self._layer.attributes, offsets, strict=True):
                canonical, width = self._flat(name), offset.shape[2]
                if name not in moved:
                    moved[name] = self._x.new_empty(batch, count, canonical.shape[1])
                    moved[name][:, :, width:] = canonical[:, width:]  # of "sh", where it may stay
                out = moved[name][:, rows, :width]
                strength = strengths[:, None, None]
                torch.addcmul(canonical[rows, :width], offset.float(), strength, out=out)
        return RawTensors(
            *(
                moved[name].reshape(batch, *value.shape)
                if name in moved
                else value.expand(batch, *value.shape)
                for name, value in zip(ATTRIBUTES, self._canonical, strict=True)
            )
        )

    def _flat(self, name: str) -> Tensor:
        value = self._canonical[ATTRIBUTES.index(name)]
        return value.reshape(len(value), -1)

    def _slices(self, batch: int) -> list[slice]:
        """Of the Gaussians, so that the widest array stays within bounds. The same for each batch
        of that size."""
        rows = max(256, WIDEST[self._device.type] // (batch * self._layer.widest))
        count = len(self._x)
        return [slice(first, min(first + rows, count)) for first in range(0, count, rows)]

    def _esaa(self, tokens: Tensor) -> Mixed:
        assert self._agents is not None and self._shares is not None
        batch, count, dim = tokens.shape
        keys = tokens + self._positions
        logits = self._agents @ keys.transpose(1, 2) * math.sqrt(self._heads / dim)
        frozen = logits.softmax(dim=-1).permute(1, 0, 2).reshape(-1, batch * count)  # (A, 4 B)
        return Mixed((self._shares @ frozen).reshape(-1, batch, count), keys)

    def _multi_head(self, tokens: Tensor) -> Mixed:
        """The queries' matrix meets the keys first, the values' the last one: see mixing.py."""
        p, heads = self._parameters, self._heads
        name = f"{layer_prefix(0)}enc_dec_attention."
        batch, count, dim = tokens.shape
        shape = (batch, count, heads, dim // heads)
        keys = layers.linear(p, f"{name}w_k", tokens).reshape(shape) / math.sqrt(dim // heads)
        values = layers.linear(p, f"{name}w_v", tokens).reshape(shape)
        w_q = p[f"{name}w_q.weight"].reshape(heads, dim // heads, dim)
        b_q = p[f"{name}w_q.bias"].reshape(heads, dim // heads)
        w_out = p[f"{name}w_concat.weight"].reshape(dim, heads, dim // heads)
        asked = torch.einsum("bthd,hdi->bhti", keys, w_q).reshape(-1, dim)
        bias = torch.einsum("bthd,hd->bht", keys, b_q).reshape(-1)
        given = torch.einsum("bthd,ohd->bhto", values, w_out).reshape(batch, -1, dim)
        given = given + p[f"{name}w_concat.bias"] / heads  # each head's shares add up to 1
        logits = torch.addmm(bias, self._x, asked.T).reshape(-1, batch, heads, count)
        return Mixed(logits.softmax(dim=-1).flatten(2), given)

    def _compiled(self) -> Callable[[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
        """torch.compile, which looks for a C++ compiler or Triton at the first call: the plain
        layer from the moment on in which it raises."""
        quick = torch.compile(self._layer.offsets, dynamic=False)

        def move(x: Tensor, shares: Tensor, values: Tensor) -> tuple[Tensor, ...]:
            if not self.reason:
                try:
                    found: tuple[Tensor, ...] = quick(x, shares, values)
                    return found
                except Exception as error:  # whatever a compiler raises; the plain layer is there
                    lines = str(error).strip().splitlines() or [type(error).__name__]
                    self.reason = f"torch.compile did not work: {lines[0]}"
            return self._layer.offsets(x, shares, values)

        return move
