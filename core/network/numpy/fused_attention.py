"""Both attentions, reduced to what they compute: each Gaussian takes a mix of a few rows
(docs/method.md §3.7, §9.2).

`frame(tokens, x)` gives `(mix, values)`: mix(rows) (n, M) for a slice of the Gaussians and values
(M, 64), centred, so that the attention's output, centred, is mix(rows) @ values. ESAA: M = 4
tokens. Multi-head attention: M = 4 tokens x heads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...records.arrays import Float32
from ...system.gemm import Gemm
from ..architecture import Architecture
from ..names import attention_name
from .attention import keys_of
from .basics import Arrays, linear, softmax
from .folded import centre

Mix = Callable[[slice], Float32]
# Gaussians at a time: the widest temporary array has 3 MiB and stays in the cache. Fewer cost more
# on a busy processor, because the BLAS waits for its threads at each product.
ROWS = 4096


def row_slices(count: int, rows: int = ROWS) -> list[slice]:
    return [slice(first, min(first + rows, count)) for first in range(0, count, rows)]


class FusedEsaa:
    """x: the input of the first layer, which does not depend on the frame; then the agents and the
    Gaussians' attention to them, the shares (N, agents), do not either."""

    def __init__(
        self,
        arrays: Arrays,
        architecture: Architecture,
        layer: int,
        gemm: Gemm,
        x: Float32 | None = None,
    ) -> None:
        self._arrays, self._architecture, self._gemm = arrays, architecture, gemm
        self._name = f"{attention_name(layer)}agent_linear"
        self._count = architecture.agents
        dim = arrays["null_vector"].size
        self._scale = np.float32(np.sqrt(architecture.heads / dim))
        self._agents = self._shares = None
        if x is not None:
            agents = self._agents_of(x)
            shares = np.empty((len(x), len(agents)), np.float32)

            def fill(rows: slice) -> None:
                shares[rows] = self._shares_of(x[rows], agents)

            gemm.for_each(fill, row_slices(len(x)))
            self._agents, self._shares = agents, shares

    def _agents_of(self, x: Float32) -> Float32:
        return linear(self._arrays, self._name, x[: self._count])

    def _shares_of(self, x: Float32, agents: Float32) -> Float32:
        return softmax(self._gemm.multiply(x, agents.T) * self._scale)

    def hand_over(self) -> Float32 | None:
        """The shares (N, agents), for a caller that multiplies them itself; `frame` would have to
        compute them again. None if they depend on the frame."""
        shares, self._shares = self._shares, None
        return shares

    def agent_mix(self, tokens: Float32, x: Float32) -> tuple[Float32, Float32]:
        """The agents' attention to the tokens (agents, 4), and the values (4, 64): the shares
        times the first are the Gaussians' mix."""
        keys = keys_of(self._architecture, tokens)
        agents = self._agents_of(x) if self._agents is None else self._agents
        # Transposed for the product.
        mix = np.ascontiguousarray(softmax(agents @ keys.T * self._scale).T).T
        return mix, centre(keys)

    def frame(self, tokens: Float32, x: Float32) -> tuple[Mix, Float32]:
        agent_mix, values = self.agent_mix(tokens, x)
        shares = self._shares
        agents = self._agents_of(x) if self._agents is None else self._agents

        def mix(rows: slice) -> Float32:
            share = self._shares_of(x[rows], agents) if shares is None else shares[rows]
            return self._gemm.multiply(share, agent_mix)

        return mix, values


class FusedMultiHead:
    """The queries' matrix is multiplied by the keys first: in a frame the Gaussians are multiplied
    by one (64, heads * 4) matrix. So are the values by the last matrix."""

    def __init__(self, arrays: Arrays, architecture: Architecture, layer: int, gemm: Gemm) -> None:
        self._arrays, self._gemm = arrays, gemm
        self._name = attention_name(layer)
        self._heads = architecture.heads
        self._bias = arrays[f"{self._name}w_concat.bias"]

    def frame(self, tokens: Float32, x: Float32) -> tuple[Mix, Float32]:
        arrays, name, heads = self._arrays, self._name, self._heads
        dim = x.shape[1] // heads
        count = len(tokens)
        scale = np.float32(1 / np.sqrt(dim))
        keys = linear(arrays, f"{name}w_k", tokens).reshape(count, heads, dim) * scale
        values = linear(arrays, f"{name}w_v", tokens).reshape(count, heads, dim)
        w_q = arrays[f"{name}w_q.weight"].reshape(heads, dim, -1)
        b_q = arrays[f"{name}w_q.bias"].reshape(heads, dim)
        w_out = arrays[f"{name}w_concat.weight"].reshape(-1, heads, dim)
        asked = np.einsum("thd,hdi->hti", keys, w_q).reshape(heads * count, -1)
        asked_bias = np.einsum("thd,hd->ht", keys, b_q).ravel()
        given = np.einsum("thd,ohd->hto", values, w_out).reshape(heads * count, -1)
        # Each head's weights add up to 1: a share of the bias in each value adds it exactly once.
        given += self._bias / np.float32(heads)

        def mix(rows: slice) -> Float32:
            logits = self._gemm.multiply(x[rows], asked.T) + asked_bias
            return softmax(logits.reshape(-1, heads, count)).reshape(-1, heads * count)

        return mix, centre(given)


def fused_attention(
    arrays: Arrays, architecture: Architecture, layer: int, gemm: Gemm, x: Float32 | None
) -> FusedEsaa | FusedMultiHead:
    """x: see `FusedEsaa`."""
    if architecture.esaa:
        return FusedEsaa(arrays, architecture, layer, gemm, x)
    return FusedMultiHead(arrays, architecture, layer, gemm)
