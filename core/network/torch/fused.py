"""The part of a network that runs for each Gaussian, in batches: norm, feed-forward, norm, heads,
in as few and as wide products as exact algebra allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ...records.arrays import Float32
from ..architecture import COLUMNS, Architecture
from ..names import DECODER, layer_prefix
from ..numpy.basics import Arrays
from ..numpy.folded import Head, fold_dense, fold_heads

LAYER_NORM_EPS = 1e-12
ALIGNED = 16  # tensor cores are fastest at multiples of so many columns; the padding is not read

Put = Callable[[NDArray[Any]], Tensor]
"""Copies an array to the device, in the layer's type."""


class FusedLayer:
    """attributes: those that `offsets` moves. widest: bytes of a Gaussian in the widest array
    between two products."""

    def __init__(
        self, arrays: Arrays, architecture: Architecture, device: torch.device, dtype: torch.dtype
    ) -> None:
        prefix = layer_prefix(0)
        self._dtype = dtype

        def wide(name: str) -> NDArray[np.float64]:
            return arrays[f"{prefix}{name}"].astype(np.float64)

        def put(array: NDArray[Any], kind: torch.dtype = dtype) -> Tensor:
            return torch.from_numpy(np.array(array, np.float32)).to(device, kind)

        w1, b1 = wide("ffn.linear1.weight"), wide("ffn.linear1.bias")
        w2, b2 = wide("ffn.linear2.weight"), wide("ffn.linear2.bias")
        # The second bias is folded into the first norm's, and out of the first matrix's input.
        self._gamma1 = put(wide("norm1.gamma"), torch.float32)
        self._beta1 = put(wide("norm1.beta") + b2, torch.float32)
        self._inner, self._outer = (put(w1), put(b1 - w1 @ b2)), put(w2.T)
        self._gamma2, self._beta2 = put(wide("norm2.gamma")), put(wide("norm2.beta"))
        heads = (Decoder if architecture.decoder else Heads)(arrays, architecture, put)
        self._heads, self.attributes = heads, heads.attributes
        self.widest = max(len(w1), heads.width) * dtype.itemsize

    def offsets(self, x: Tensor, shares: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        """x (n, 64), shares (B, n, M), values (B, M, 64), float32 -> for each of `attributes`
        (B, n, width) in the layer's own type."""
        if not self.attributes:
            return ()
        batch, rows = shares.shape[:2]
        y = torch.baddbmm(x[None].expand(batch, *x.shape), shares, values).flatten(0, 1)
        z = F.layer_norm(y, y.shape[1:], self._gamma1, self._beta1, LAYER_NORM_EPS).to(self._dtype)
        y = torch.addmm(z, relu_linear(z, *self._inner), self._outer)
        hidden = F.layer_norm(y, y.shape[1:], self._gamma2, self._beta2, LAYER_NORM_EPS)
        return tuple(part.reshape(batch, rows, -1) for part in self._heads(hidden))


class Heads:
    """The five official heads: hidden (n, 64) -> offsets (n, width) of each attribute."""

    def __init__(self, arrays: Arrays, architecture: Architecture, put: Put) -> None:
        heads = fold_heads(arrays, architecture)
        # Colours have their own product: one product for all would be five times as large.
        groups = [
            [head for head in heads if head.attribute != "sh"],
            [head for head in heads if head.attribute == "sh"],
        ]
        ordered = [head for group in groups for head in group]
        self.attributes = tuple(head.attribute for head in ordered)
        self.width = sum(len(head.inner_bias) for head in ordered)
        self._second: list[tuple[slice, Tensor, Tensor, list[slice]]] = []
        if ordered:
            inner = np.concatenate([head.inner.T for head in ordered])
            self._first = put(inner), put(np.concatenate([head.inner_bias for head in ordered]))
        start = 0
        for group in filter(None, groups):
            matrix, bias, columns = side_by_side(group)
            inputs = slice(start, start + matrix.shape[1])
            self._second.append((inputs, put(matrix), put(bias), columns))
            start = inputs.stop

    def __call__(self, hidden: Tensor) -> list[Tensor]:
        wide = relu_linear(hidden.relu_(), *self._first)
        found = []
        for inputs, matrix, bias, columns in self._second:
            out = F.linear(wide[:, inputs], matrix, bias)
            found += [out[:, own] for own in columns]
        return found


class Decoder:
    """The one decoder of all attributes, its KANs folded: see architecture.py."""

    def __init__(self, arrays: Arrays, architecture: Architecture, put: Put) -> None:
        self._kan = architecture.kan
        self.attributes = tuple(architecture.widths)
        self._columns = [COLUMNS[name] for name in self.attributes]
        self._layers = [padded(*fold_dense(arrays, name), put) for name in DECODER]
        self.width = max(matrix.shape[1] for matrix, _ in self._layers)

    def __call__(self, hidden: Tensor) -> list[Tensor]:
        (first, first_bias), (second, second_bias) = self._layers
        if self._kan:
            x = F.linear(powers(hidden), first, first_bias).tanh_()
            out = F.linear(powers(x), second, second_bias)
        else:
            out = F.linear(relu_linear(hidden, first, first_bias), second, second_bias)
        return [out[:, own] for own in self._columns]


def powers(x: Tensor) -> Tensor:
    """x (n, I) -> [silu(x) | x | x^2] (n, 3 I), the input of a folded KAN."""
    return torch.cat([F.silu(x), x, x * x], dim=1)


def relu_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """relu(x @ weight.T + bias); on CUDA in one kernel if this torch has it."""
    if x.is_cuda and hasattr(torch, "_addmm_activation"):
        result: Tensor = torch._addmm_activation(bias, x, weight.T)
        return result
    return F.linear(x, weight, bias).relu_()


def padded(matrix: Float32, bias: Float32, put: Put) -> tuple[Tensor, Tensor]:
    """The layer, its outputs padded with zeros to a multiple of ALIGNED."""
    more = -len(matrix) % ALIGNED
    return put(np.pad(matrix, ((0, more), (0, 0)))), put(np.pad(bias, (0, more)))


def side_by_side(heads: list[Head]) -> tuple[Float32, Float32, list[slice]]:
    """The second layers of some heads as one: matrix (outputs, inputs), bias (outputs,), and the
    outputs of each head."""
    outputs = sum(len(head.outer_bias) for head in heads)
    inputs = sum(len(head.outer) for head in heads)
    matrix = np.zeros((-(-outputs // ALIGNED) * ALIGNED, inputs), np.float32)
    bias = np.zeros(len(matrix), np.float32)
    columns, column, row = [], 0, 0
    for head in heads:
        own = slice(column, column + len(head.outer_bias))
        matrix[own, row : row + len(head.outer)] = head.outer.T
        bias[own] = head.outer_bias
        columns.append(own)
        column, row = own.stop, row + len(head.outer)
    return matrix, bias, columns
