"""The phonetic network with torch: the fast twin of phonetic_network.py and phonetic.readout."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from .phonetic import AROUND
from .phonetic_network import BLOCKS, EPSILON, HEADS, HOP, N_FFT, POWER_FLOOR, WIDTH
from .phonetic_weights import PhoneticWeights


def weights_on(weights: PhoneticWeights, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """The tensors of the network on a device, float32."""
    return {name: torch.from_numpy(array).to(device) for name, array in weights.tensors.items()}


def bands(samples: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """(1 + T // 160, 80) log power of (T,) samples, T > 200; as in numpy."""
    padded = functional.pad(samples[None], (N_FFT // 2, N_FFT // 2), mode="reflect")[0]
    frames = padded.unfold(0, N_FFT, HOP)[: 1 + len(samples) // HOP]
    hann = torch.hann_window(N_FFT, periodic=True, dtype=torch.float64, device=samples.device)
    power = torch.fft.rfft(frames.double() * hann).abs() ** 2
    return (power @ weights["mel"].double()).clamp_min(POWER_FLOOR).log().float()


def hidden_layers(mel: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """(T, 4, 144) the output of each block for (M, 80) bands; T = (M + 1) // 2."""
    stem = functional.conv1d(
        mel.T[None], weights["stem.weight"], weights["stem.bias"], stride=2, padding=1
    )
    x = functional.gelu(stem[0].T)
    layers = []
    for block in range(BLOCKS):
        x = _block(x, f"blocks.{block}.", weights)
        layers.append(x)
    return torch.stack(layers, 1)


def readout(layers: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """(T, 22) of (T, 4, 144) hidden layers."""
    flat = layers.flatten(1)
    padded = functional.pad(flat.T[None], (AROUND, AROUND), mode="replicate")[0].T
    near = torch.cat([padded[k : k + len(flat)] for k in range(2 * AROUND + 1)], 1)
    return functional.linear(near, weights["readout.weight"], weights["readout.bias"])


def _block(x: Tensor, at: str, weights: Mapping[str, Tensor]) -> Tensor:
    x = x + 0.5 * _feed_forward(x, at + "ffn1.", weights)
    x = x + _attention(_norm(x, at + "attention.norm.", weights), at + "attention.", weights)
    x = x + _convolution(_norm(x, at + "conv.norm.", weights), at + "conv.", weights)
    x = x + 0.5 * _feed_forward(x, at + "ffn2.", weights)
    return _norm(x, at + "norm.", weights)


def _feed_forward(x: Tensor, at: str, weights: Mapping[str, Tensor]) -> Tensor:
    inner = functional.silu(_linear(_norm(x, at + "norm.", weights), at + "in.", weights))
    return _linear(inner, at + "out.", weights)


def _attention(x: Tensor, at: str, weights: Mapping[str, Tensor]) -> Tensor:
    joined = _linear(x, at + "in.", weights).reshape(len(x), 3, HEADS, WIDTH // HEADS)
    query, key, value = joined.permute(1, 2, 0, 3)
    mixed = functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
    return _linear(mixed.transpose(0, 1).reshape(len(x), WIDTH), at + "out.", weights)


def _convolution(x: Tensor, at: str, weights: Mapping[str, Tensor]) -> Tensor:
    gated = functional.glu(_linear(x, at + "in.", weights), dim=1)
    kernel = weights[at + "depth.weight"]
    y = functional.conv1d(
        gated.T[None],
        kernel[:, None],
        weights[at + "depth.bias"],
        padding=kernel.shape[1] // 2,
        groups=WIDTH,
    )[0].T
    return _linear(functional.silu(y), at + "out.", weights)


def _linear(x: Tensor, at: str, weights: Mapping[str, Tensor]) -> Tensor:
    return functional.linear(x, weights[at + "weight"], weights[at + "bias"])


def _norm(x: Tensor, at: str, weights: Mapping[str, Tensor]) -> Tensor:
    scale, shift = weights[at + "weight"], weights[at + "bias"]
    return functional.layer_norm(x, (WIDTH,), scale, shift, EPSILON)
