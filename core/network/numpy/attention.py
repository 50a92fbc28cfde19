"""The two cross-attentions, straight from their formulas (docs/method.md §3.7).

Both also return what the official code calls "attention", (N, 4): in GaussianTalker the weights of
the four tokens, averaged over the heads; in EGSTalker the attention's output, averaged over 16
groups of four channels (no weights, returned because the reference files contain it).
"""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float32
from ..architecture import Architecture
from ..names import attention_name
from .basics import Arrays, linear, softmax
from .tokens import positions


def keys_of(architecture: Architecture, tokens: Float32) -> Float32:
    """tokens (4, 64) -> the keys and values of ESAA (4, 64)."""
    return tokens + positions(*tokens.shape) if architecture.positions else tokens


def esaa(
    arrays: Arrays, name: str, x: Float32, keys: Float32, agents: int, heads: int
) -> tuple[Float32, Float32]:
    """x (N, 64), keys (4, 64) -> (N, 64), (N, 4). Agents are the first Gaussians; one head over
    all 64 channels, `heads` only sets the scale."""
    scale = np.float32(np.sqrt(heads / x.shape[1]))
    agent = linear(arrays, f"{name}agent_linear", x[:agents])
    value = softmax(agent @ keys.T * scale) @ keys
    out = softmax(x @ agent.T * scale) @ value
    return out, out.reshape(len(x), heads, -1).mean(axis=1)


def multi_head(
    arrays: Arrays, name: str, x: Float32, tokens: Float32, heads: int
) -> tuple[Float32, Float32]:
    """x (N, 64), tokens (4, 64) -> (N, 64), (N, 4)."""
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
    arrays: Arrays, architecture: Architecture, layer: int, x: Float32, tokens: Float32
) -> tuple[Float32, Float32]:
    """One layer: x (N, 64), tokens (4, 64) -> output (N, 64), "attention" (N, 4)."""
    name, heads = attention_name(layer), architecture.heads
    if architecture.esaa:
        keys = keys_of(architecture, tokens)
        return esaa(arrays, name, x, keys, architecture.agents, heads)
    return multi_head(arrays, name, x, tokens, heads)
