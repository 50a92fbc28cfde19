"""The two cross-attentions, straight from their formulas (docs/method.md §3.7).

Both also return what the official code calls "attention", (N, 4): in GaussianTalker the weights of
the four tokens, averaged over the heads; in EGSTalker the attention's output, averaged over 16
groups of four channels (no weights at all, kept because the reference files hold it).
"""

from __future__ import annotations

import numpy as np

from ...records.weights import EGSTALKER, PAPER, NetworkWeights
from ..names import DEFAULT_HEADS, layer_prefix
from .basics import Arrays, Float32, linear, softmax
from .tokens import positions


def has_agents(weights: NetworkWeights) -> bool:
    """ESAA, else multi-head attention."""
    if weights.kind == PAPER:
        return f"{layer_prefix(0)}enc_dec_attention.agent_linear.weight" in weights.arrays
    return weights.kind == EGSTALKER


def keys_of(weights: NetworkWeights, tokens: Float32) -> Float32:
    """What ESAA attends to: EGSTalker adds an encoding of the token's index."""
    return tokens if weights.kind == PAPER else tokens + positions(*tokens.shape)


def heads_of(weights: NetworkWeights) -> int:
    return weights.heads or DEFAULT_HEADS[weights.kind]


def esaa(
    arrays: Arrays, prefix: str, x: Float32, keys: Float32, agents: int, heads: int
) -> tuple[Float32, Float32]:
    """x (N, 64), keys (4, 64) -> (N, 64), (N, 4). Agents are the first Gaussians; one head over
    all 64 channels, `heads` only sets the scale."""
    scale = np.float32(np.sqrt(heads / x.shape[1]))
    agent = linear(arrays, f"{prefix}enc_dec_attention.agent_linear", x[:agents])
    value = softmax(agent @ keys.T * scale) @ keys
    out = softmax(x @ agent.T * scale) @ value
    return out, out.reshape(len(x), heads, -1).mean(axis=1)


def multi_head(
    arrays: Arrays, prefix: str, x: Float32, tokens: Float32, heads: int
) -> tuple[Float32, Float32]:
    """x (N, 64), tokens (4, 64) -> (N, 64), (N, 4)."""
    name = f"{prefix}enc_dec_attention."
    dim = x.shape[1] // heads

    def split(y: Float32) -> Float32:
        return y.reshape(len(y), heads, dim).transpose(1, 0, 2)

    q = split(linear(arrays, f"{name}w_q", x))
    k = split(linear(arrays, f"{name}w_k", tokens))
    v = split(linear(arrays, f"{name}w_v", tokens))
    score = softmax(q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(dim)))  # (heads, N, 4)
    out = (score @ v).transpose(1, 0, 2).reshape(len(x), -1)
    return linear(arrays, f"{name}w_concat", out), score.mean(axis=0)


def attention(
    weights: NetworkWeights, layer: int, x: Float32, tokens: Float32
) -> tuple[Float32, Float32]:
    """One layer: x (N, 64), tokens (4, 64) -> output (N, 64), "attention" (N, 4)."""
    prefix, heads = layer_prefix(layer), heads_of(weights)
    if has_agents(weights):
        keys = keys_of(weights, tokens)
        return esaa(weights.arrays, prefix, x, keys, weights.agents, heads)
    return multi_head(weights.arrays, prefix, x, tokens, heads)
