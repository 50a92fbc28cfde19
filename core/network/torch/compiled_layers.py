"""Layers of the Gaussians as functions of torch with numba's kernels, for training on a CPU: those
of torch/layers.py, faster because no array between two layers is stored."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from ..architecture import Architecture
from ..names import DECODER, ENCODER, attention_name, is_kan, layer_prefix
from ..numpy.triplane import GRID_CENTRE
from .layers import Parameters, features, linear


def usable(p: Parameters, name: str | None, x: Tensor) -> bool:
    """True on a CPU, in float32, where numba is installed, if the layer of that name is a KAN."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and (name is None or is_kan(p, name))
        and not torch.is_autocast_enabled("cpu")
        and find_spec("numba") is not None
    )


def can_move(p: Parameters, architecture: Architecture, x: Tensor) -> bool:
    """True if `offsets` computes what this network does."""
    alike = architecture.esaa and architecture.decoder and architecture.layers == 1
    return alike and usable(p, DECODER[0], x)


def encoded(p: Parameters, means: Tensor) -> Tensor:
    """layers.encoded"""
    return kan_rows(p, ENCODER, features(p, means), float(GRID_CENTRE))


def kan_rows(p: Parameters, name: str, x: Tensor, centre: float = 0.0) -> Tensor:
    """layers.kan_rows of x (N, I) less `centre` -> (N, O)."""
    out: Tensor = _Rows.apply(x, *_folded(p, name), centre)
    return out


def esaa_shares(
    p: Parameters, layer: int, x: Tensor, agents: int, heads: int
) -> tuple[Tensor, Tensor]:
    """layers.esaa_shares of x (N, 64)."""
    scale = math.sqrt(heads / x.shape[-1])
    agent = linear(p, f"{attention_name(layer)}agent_linear", x[:agents])
    return agent, _Rows.apply(x, agent * scale, None, 0.0)


def offsets(
    p: Parameters, layer: int, x: Tensor, shares: Tensor, mix: Tensor, keys: Tensor
) -> Tensor:
    """x (N, 64), shares (N, A), mix (B, A, T), keys (B, T, 64) -> layers.decoded of
    layers.feed_forward of shares @ mix @ keys (B, N, 14)."""
    prefix = layer_prefix(layer)

    def norm(name: str) -> Tensor:
        return torch.stack([p[f"{prefix}{name}.gamma"], p[f"{prefix}{name}.beta"]])

    def pair(name: str) -> tuple[Tensor, Tensor]:
        return p[f"{prefix}ffn.{name}.weight"], p[f"{prefix}ffn.{name}.bias"]

    weights = (
        norm("norm1"), *pair("linear1"), *pair("linear2"), norm("norm2"),
        *_folded(p, DECODER[0]), *_folded(p, DECODER[1]),
    )  # fmt: skip
    out: Tensor = _Offsets.apply(x, shares, mix, keys, *weights)
    return out


def _folded(p: Parameters, name: str) -> tuple[Tensor, Tensor]:
    """Of a KAN: (O, 3 I), what multiplies x, x^2 and silu(x), and the bias (O,)."""
    taylor = p[f"{name}.taylor_coeffs"]
    matrix = torch.cat([taylor[..., 1], taylor[..., 2], p[f"{name}.base_weight"]], dim=1)
    return matrix, taylor[..., 0].sum(dim=1) + p[f"{name}.bias"]


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, bias: Tensor | None, centre: float) -> Tensor:
        from ..numba.training import rows

        ctx.save_for_backward(x, matrix, bias)
        ctx.centre = centre
        return torch.from_numpy(rows(_array(x), _array(matrix), _maybe(bias), centre))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        from ..numba.training import rows_slopes

        x, matrix, bias = ctx.saved_tensors
        found = rows_slopes(_array(x), _array(matrix), _maybe(bias), ctx.centre, _array(slopes))
        return (*(None if slope is None else torch.from_numpy(slope) for slope in found), None)


class _Offsets(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        from ..numba.training import Weights, deform

        ctx.save_for_backward(*inputs)
        x, shares, mix, keys, *weights = (_array(value) for value in inputs)
        return torch.from_numpy(deform(x, shares, mix, keys, Weights(*weights)))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, ...]:
        from ..numba.training import Weights, deform_slopes

        x, shares, mix, keys, *weights = (_array(value) for value in ctx.saved_tensors)
        *found, of_weights = deform_slopes(x, shares, mix, keys, Weights(*weights), _array(slopes))
        return tuple(torch.from_numpy(slope) for slope in (*found, *of_weights))


def _array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()


def _maybe(tensor: Tensor | None) -> Any:
    return None if tensor is None else _array(tensor)
