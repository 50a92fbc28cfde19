"""TaylorKAN layers, and the dense layers that are either TaylorKANs or linear (docs/method.md
§3.6)."""

from __future__ import annotations

import numpy as np

from ...records.arrays import Float32
from ..names import is_kan
from .basics import Arrays, linear, silu


def kan_layer(arrays: Arrays, name: str, x: Float32) -> Float32:
    """TaylorKAN: x (I,) -> (O,) = W silu(x) + sum over i of (C0 + C1 x_i + C2 x_i^2) + bias."""
    coefficients = arrays[f"{name}.taylor_coeffs"]  # (O, I, 3)
    powers = np.stack([np.ones_like(x), x, x * x], axis=1)  # (I, 3)
    taylor = np.tensordot(coefficients, powers, axes=2)
    return arrays[f"{name}.base_weight"] @ silu(x) + taylor + arrays[f"{name}.bias"]


def kan_rows(arrays: Arrays, name: str, x: Float32) -> Float32:
    """`kan_layer` for rows: x (N, I) -> (N, O)."""
    taylor = arrays[f"{name}.taylor_coeffs"]
    constant = taylor[:, :, 0].sum(axis=1) + arrays[f"{name}.bias"]
    out = silu(x) @ arrays[f"{name}.base_weight"].T + constant
    return out + x @ taylor[:, :, 1].T + (x * x) @ taylor[:, :, 2].T


def dense(arrays: Arrays, name: str, x: Float32) -> Float32:
    """x (N, I) -> (N, O), by the layer of that name, TaylorKAN or linear."""
    return kan_rows(arrays, name, x) if is_kan(arrays, name) else linear(arrays, name, x)
