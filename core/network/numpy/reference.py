"""The whole network, plainly: the readable twin that the fast paths are tested against."""

from __future__ import annotations

from dataclasses import dataclass

from ...records.gaussians import Gaussians
from ...records.weights import PAPER, NetworkWeights
from .. import paper
from ..names import layer_count
from . import audio_net, triplane
from .attention import attention
from .basics import Float32
from .decoder import apply_offsets, feed_forward, offsets
from .tokens import tokens


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
    arrays = weights.arrays
    code = audio_net.encode(arrays, windows)
    if weights.kind == PAPER:
        token = paper.tokens(arrays, code, eye, pose)
        x, shown = paper.hidden_of(weights, paper.encoded(arrays, gaussians.means), token)
        return Forward(apply_offsets(gaussians, paper.offsets(weights, x)), shown)
    token = tokens(arrays, code, eye, pose)
    x = triplane.features(arrays, gaussians.means)
    for layer in range(layer_count(arrays)):
        attended, shown = attention(weights, layer, x, token)
        x = feed_forward(arrays, layer, x, attended)
    return Forward(apply_offsets(gaussians, offsets(weights, x)), shown)
