"""The fused network equals the plain one for every shape of avatar and number of threads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.network.numpy import folded_network, reference
from core.network.numpy.fused_attention import ROWS
from core.network.official.reference_file import read_reference
from core.records.gaussians import ATTRIBUTES, WIDTHS, Gaussians
from core.records.weights import EGSTALKER, GAUSSIANTALKER, PAPER, NetworkWeights
from tests.support.synthetic import random_avatar, random_paper_avatar, random_pose, random_windows

pytest.importorskip("numba", reason="needs numba")
import numba

from core.network.numba import network
from core.network.numba.kan import make_powers
from core.network.numba.tiles import LANES

RAW = tuple(attribute.raw for attribute in ATTRIBUTES)
EYE = 0.37
GOLDEN = Path(__file__).parents[1] / "golden"  # see test_network.py
# Kind of the network, and what of a "paper" one is left out.
KINDS = [EGSTALKER, GAUSSIANTALKER, PAPER, f"{PAPER} kan", f"{PAPER} esaa"]


def avatar_of(kind: str, count: int, layers: int = 1) -> tuple[NetworkWeights, Gaussians]:
    kind, *left_out = kind.split()
    if kind == PAPER:
        parts = dict.fromkeys(left_out, False)
        return random_paper_avatar(count, layers=layers, agents=70, **parts)
    return random_avatar(count, kind, layers=layers, agents=70)


def moved(
    weights: NetworkWeights, gaussians: Gaussians, strength: float = 1.0, threads: int = 2
) -> Gaussians:
    deformer = network.prepare(weights, gaussians, threads=threads)
    code = deformer.encode_audio(random_windows())
    return deformer.deform_raw(code, EYE, random_pose(), strength)


def furthest(a: Gaussians, b: Gaussians) -> float:
    return max(float(np.abs(getattr(a, name) - getattr(b, name)).max()) for name in RAW)


@pytest.mark.parametrize("count", [2, LANES, 2 * ROWS + LANES + 5])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_fused_equals_plain(kind: str, layers: int, count: int) -> None:
    weights, gaussians = avatar_of(kind, count, layers)
    plain = reference.forward(weights, gaussians, random_windows(), EYE, random_pose()).gaussians
    fused = moved(weights, gaussians)
    assert furthest(fused, plain) < 5e-6
    assert furthest(plain, gaussians) > 0.01  # the network does something
    assert all(getattr(fused, name).dtype == np.float32 for name in RAW)


@pytest.mark.parametrize("kind", [EGSTALKER, GAUSSIANTALKER])
def test_fused_equals_the_official_network(kind: str) -> None:
    file = read_reference(GOLDEN / f"network_{kind}.npz")
    deformer = network.prepare(file.weights, file.gaussians)
    outputs = ("means3D", "scales_raw", "rotations_raw", "opacity_raw", "shs")
    for i, (windows, eye, pose) in enumerate(zip(file.windows, file.eyes, file.poses, strict=True)):
        fused = deformer.deform_raw(deformer.encode_audio(windows), float(eye), pose, 1.0)
        for name, output in zip(RAW, outputs, strict=True):
            expected = file.outputs[output][i]
            value = getattr(fused, name).reshape(expected.shape)
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bits_do_not_depend_on_the_threads(kind: str) -> None:
    avatar = avatar_of(kind, 3 * ROWS + 7)
    one, *others = (moved(*avatar, threads=threads) for threads in (1, 2, 5))
    assert all(furthest(one, other) == 0 for other in others)


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_is_the_canonical_head(kind: str) -> None:
    weights, gaussians = avatar_of(kind, 100)
    assert furthest(moved(weights, gaussians, strength=0.0), gaussians) == 0


@pytest.mark.parametrize("frozen", [{"means"}, {"sh"}, {"sh", "quats"}, set(WIDTHS)])
@pytest.mark.parametrize("kind", KINDS)
def test_frozen_attributes_stay_canonical(kind: str, frozen: set[str]) -> None:
    weights, gaussians = avatar_of(kind, 100)
    free = moved(weights, gaussians)
    some = moved(dataclasses.replace(weights, frozen=frozenset(frozen)), gaussians)
    for field, attribute in zip(RAW, WIDTHS, strict=True):
        expected = gaussians if attribute in frozen else free
        assert np.array_equal(getattr(some, field), getattr(expected, field)), field


@pytest.mark.parametrize("kind", [EGSTALKER, PAPER])
def test_the_canonical_gaussians_may_be_read_only(kind: str) -> None:
    weights, gaussians = avatar_of(kind, 100)
    expected = moved(weights, gaussians)
    for name in RAW:
        getattr(gaussians, name).flags.writeable = False
    assert furthest(moved(weights, gaussians), expected) == 0


@pytest.mark.parametrize("hidden, decoder", [(36, 20), (100, 7)])
@pytest.mark.parametrize("kan", [True, False])
def test_any_width_is_filled_up_to_whole_tiles(hidden: int, decoder: int, kan: bool) -> None:
    weights, gaussians = random_paper_avatar(
        LANES + 1, agents=9, hidden=hidden, decoder=decoder, kan=kan
    )
    plain = reference.forward(weights, gaussians, random_windows(), EYE, random_pose()).gaussians
    assert furthest(moved(weights, gaussians), plain) < 5e-6


def test_only_the_first_harmonic_of_a_paper_network_moves() -> None:
    weights, gaussians = avatar_of(PAPER, 100)
    sh = moved(weights, gaussians).sh
    assert np.array_equal(sh[:, 1:], gaussians.sh[:, 1:])
    assert not np.array_equal(sh[:, 0], gaussians.sh[:, 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loud", [30, 1000])
def test_a_sound_never_heard_moves_as_in_numpy(kind: str, loud: float) -> None:
    weights, gaussians = avatar_of(kind, 500)
    fused = network.prepare(weights, gaussians, threads=2)
    numpys = folded_network.prepare(weights, gaussians)
    code = np.float32(loud) * fused.encode_audio(random_windows())
    a, b = (d.deform_raw(code, EYE, random_pose(), 1.0) for d in (fused, numpys))
    assert all(np.isfinite(getattr(a, name)).all() for name in RAW)
    assert furthest(a, b) < 5e-6


@pytest.mark.parametrize("squash", [False, True])
def test_what_a_kan_multiplies(squash: bool) -> None:
    """x, x^2 and silu(x), of tanh(x) where that comes before, over all that float32 holds."""
    powers = make_powers(squash)
    fill = numba.njit(lambda values, count: powers(values, 0, count))
    edges = [0, 80, 90, 200, 1e4, 1e18]
    x = np.concatenate(
        [np.linspace(-30, 30, 500 * LANES - 2 * len(edges)), edges, np.negative(edges)]
    )
    x = x.astype(np.float32)
    values = np.zeros(3 * len(x), np.float32)
    values[: len(x)] = x
    fill(values, len(x) // LANES)
    first, square, soft = values.reshape(3, -1)
    expected = np.tanh(x.astype(np.float64)) if squash else x.astype(np.float64)
    np.testing.assert_allclose(first, expected, rtol=0, atol=3e-7 if squash else 0)
    np.testing.assert_allclose(square, expected**2, rtol=1e-6, atol=3e-7)
    smooth = expected / (1 + np.exp(-np.maximum(expected, -700)))
    np.testing.assert_allclose(soft, smooth, rtol=3e-7, atol=3e-7)
