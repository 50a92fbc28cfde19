"""Batches of frames on a device, by exact re-association of the network (docs/method.md §9.2): what
does not depend on the frame is computed once, and what frames share is multiplied once.

    shares (N, A) of the agents times all frames' agents (A, 4 B) first: N x 4 numbers a frame
    the second bias of the feed-forward goes into the first norm, so that its sum is one product
    the first layers of the heads are one matrix (64, 640), the second ones two
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ...records.gaussians import ATTRIBUTES
from ...records.weights import NetworkWeights
from ..architecture import architecture_of
from ..names import attention_name
from ..numpy.tokens import positions
from . import layers
from .fused import FusedLayer
from .network import RawTensors, TorchNetwork

# Bytes that the widest array between two products may take: of a GPU's memory, of a CPU's cache.
WIDEST = {"cuda": 1 << 29, "cpu": 1 << 22}

Inputs = tuple[Tensor, ...]
"""The network's encoding of sound, eyes and pose; first axis: frames."""


class Frames(Protocol):
    """Many frames of one avatar at once. Frames do not affect each other."""

    def prepared(self, codes: Tensor, eyes: Tensor, poses: Tensor) -> Inputs:
        """codes (B, 32) and poses (B, 12) float32, eyes (B,) float64, on the device. B is
        any number: a clip costs little more than a frame."""
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
) -> Frames:
    """The fastest implementation for this network: `PlainFrames` if it has more than one layer,
    since then its attention depends on the frame."""
    if architecture_of(weights).layers == 1:
        return FastFrames(weights, network, canonical, half)
    return PlainFrames(network, canonical)


class PlainFrames:
    """`TorchNetwork.deform` itself."""

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
    pose token reaches hundreds, and the canonical values stay float32."""

    def __init__(
        self,
        weights: NetworkWeights,
        network: TorchNetwork,
        canonical: RawTensors,
        half: bool = False,
    ) -> None:
        architecture = architecture_of(weights)
        self._canonical, self._device = canonical, canonical.means.device
        self._parameters = network.parameters_by_name()
        self._heads = architecture.heads
        with torch.no_grad():
            self._x = network.features(canonical.means)
            first = network.first_attention(self._x)
        self._agents: Tensor | None = first.agents if first else None
        self._shares: Tensor | None = first.shares if first else None
        dim = self._x.shape[1]
        indexed = positions(4, dim) if architecture.positions else np.zeros((4, dim), np.float32)
        # Copied to the device once: a copy in every batch would wait for it.
        self._positions = torch.from_numpy(indexed).to(self._device)
        self._frequencies = layers.eye_frequencies(self._parameters)
        if half:  # or cuBLAS may add parts of a sum in float16; a setting of the whole process
            torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        dtype = torch.float16 if half else torch.float32
        self._layer = FusedLayer(weights.arrays, architecture, self._device, dtype)

    @torch.no_grad()
    def prepared(self, codes: Tensor, eyes: Tensor, poses: Tensor) -> Inputs:
        """The four tokens, (B, 4, 64)."""
        return (layers.tokens(self._parameters, codes, eyes, poses, self._frequencies),)

    @torch.no_grad()
    def __call__(self, inputs: Inputs, strengths: Tensor) -> RawTensors:
        (tokens,) = inputs
        batch, count = len(tokens), len(self._x)
        mixed = self._multi_head(tokens) if self._agents is None else self._esaa(tokens)
        flat = {
            a.name: value.reshape(count, a.width)
            for a, value in zip(ATTRIBUTES, self._canonical, strict=True)
        }
        moved: dict[str, Tensor] = {}
        for rows in self._slices(batch):
            shares = mixed.shares[rows].transpose(0, 1)
            offsets = self._layer.offsets(self._x[rows], shares, mixed.values)
            for name, offset in zip(self._layer.attributes, offsets, strict=True):
                canonical, width = flat[name], offset.shape[2]
                if name not in moved:
                    moved[name] = self._x.new_empty(batch, count, canonical.shape[1])
                    moved[name][:, :, width:] = canonical[:, width:]  # of "sh", where it may stay
                out = moved[name][:, rows, :width]
                strength = strengths[:, None, None]
                torch.addcmul(canonical[rows, :width], offset.float(), strength, out=out)
        return RawTensors(
            *(
                moved[a.name].reshape(batch, *value.shape)
                if a.name in moved
                else value.expand(batch, *value.shape)
                for a, value in zip(ATTRIBUTES, self._canonical, strict=True)
            )
        )

    def _slices(self, batch: int) -> list[slice]:
        """Slices of the Gaussians that keep the widest array within bounds. The same for each batch
        of that size."""
        rows = max(256, WIDEST[self._device.type] // (batch * self._layer.widest))
        count = len(self._x)
        return [slice(first, min(first + rows, count)) for first in range(0, count, rows)]

    def _esaa(self, tokens: Tensor) -> Mixed:
        assert self._agents is not None and self._shares is not None
        batch, count, dim = tokens.shape
        keys = tokens + self._positions
        logits = self._agents @ keys.transpose(1, 2) * math.sqrt(self._heads / dim)
        agent_mix = logits.softmax(dim=-1).permute(1, 0, 2).reshape(-1, batch * count)  # (A, 4 B)
        return Mixed((self._shares @ agent_mix).reshape(-1, batch, count), keys)

    def _multi_head(self, tokens: Tensor) -> Mixed:
        """The queries' matrix is multiplied by the keys first, the values' by the last one: see
        numpy/fused_attention.py."""
        p, heads = self._parameters, self._heads
        name = attention_name(0)
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
