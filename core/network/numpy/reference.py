"""The whole network in readable form: the fast paths are tested against it."""

from __future__ import annotations

from dataclasses import dataclass

from ...records.arrays import Float32
from ...records.gaussians import Gaussians
from ...records.weights import NetworkWeights
from ..architecture import architecture_of
from . import audio_net
from .attention import attention
from .decoder import apply_offsets, feed_forward, offsets
from .tokens import tokens
from .triplane import encoded


@dataclass(frozen=True, eq=False)
class Forward:
    """gaussians: raw values of the frame. attention (N, 4): see attention.py."""

    gaussians: Gaussians
    attention: Float32


def forward(
    weights: NetworkWeights, gaussians: Gaussians, windows: Float32, eye: float, pose: Float32
) -> Forward:
    """One frame from its inputs: windows (8, D, W), eye in [0, 1], pose (12,)
    (docs/method.md §3.13)."""
    arrays, architecture = weights.arrays, architecture_of(weights)
    code = audio_net.encode(arrays, windows)
    token = tokens(arrays, code, eye, pose)
    x = shown = encoded(arrays, architecture, gaussians.means)
    for layer in range(architecture.layers):
        attended, shown = attention(arrays, architecture, layer, x, token)
        x = feed_forward(arrays, layer, x, attended)
    return Forward(apply_offsets(gaussians, offsets(arrays, architecture, x)), shown)
