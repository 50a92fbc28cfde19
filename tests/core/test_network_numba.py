"""The fused network against the plain one, whatever the shape of the avatar and the threads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.gaussians import Gaussians
from core.network import names, reference
from core.network.mixing import ROWS
from core.network.reference_file import read_reference
from core.network.weights import EGSTALKER, GAUSSIANTALKER, NetworkWeights
from tests.core.synthetic import random_avatar, random_pose, random_windows

pytest.importorskip("numba", reason="needs numba")
from core.network import numba_network
from core.network.numba_tiles import LANES

RAW = ("means", "log_scales", "quats", "opacity_logits", "sh")
EYE = 0.37
GOLDEN = Path(__file__).parents[1] / "golden"  # see test_network.py


def moved(
    weights: NetworkWeights, gaussians: Gaussians, strength: float = 1.0, threads: int = 2
) -> Gaussians:
    deformer = numba_network.prepare(weights, gaussians, threads=threads)
    code = deformer.encode_audio(random_windows())
    return deformer.deform_raw(code, EYE, random_pose(), strength)


def furthest(a: Gaussians, b: Gaussians) -> float:
    return max(float(np.abs(getattr(a, name) - getattr(b, name)).max()) for name in RAW)


@pytest.mark.parametrize("count", [2, LANES, 2 * ROWS + LANES + 5])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", [EGSTALKER, GAUSSIANTALKER])
def test_fused_equals_plain(kind: str, layers: int, count: int) -> None:
    weights, gaussians = random_avatar(count, kind, layers=layers, agents=70)
    plain = reference.forward(weights, gaussians, random_windows(), EYE, random_pose()).gaussians
    fused = moved(weights, gaussians)
    assert furthest(fused, plain) < 5e-6
    assert furthest(plain, gaussians) > 0.01  # the network does something
    assert all(getattr(fused, name).dtype == np.float32 for name in RAW)


@pytest.mark.parametrize("kind", [EGSTALKER, GAUSSIANTALKER])
def test_fused_equals_the_official_network(kind: str) -> None:
    file = read_reference(GOLDEN / f"network_{kind}.npz")
    deformer = numba_network.prepare(file.weights, file.gaussians)
    outputs = ("means3D", "scales_raw", "rotations_raw", "opacity_raw", "shs")
    for i, (windows, eye, pose) in enumerate(zip(file.windows, file.eyes, file.poses, strict=True)):
        fused = deformer.deform_raw(deformer.encode_audio(windows), float(eye), pose, 1.0)
        for name, output in zip(RAW, outputs, strict=True):
            expected = file.outputs[output][i]
            value = getattr(fused, name).reshape(expected.shape)
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-5)


def test_the_bits_do_not_depend_on_the_threads() -> None:
    avatar = random_avatar(3 * ROWS + 7)
    one, *others = (moved(*avatar, threads=threads) for threads in (1, 2, 5))
    assert all(furthest(one, other) == 0 for other in others)


def test_strength_zero_is_the_canonical_head() -> None:
    weights, gaussians = random_avatar(100)
    assert furthest(moved(weights, gaussians, strength=0.0), gaussians) == 0


@pytest.mark.parametrize(
    "frozen", [{"means"}, {"sh", "quats"}, {a for a, _ in names.HEADS.values()}]
)
def test_frozen_attributes_stay_canonical(frozen: set[str]) -> None:
    weights, gaussians = random_avatar(100)
    free = moved(weights, gaussians)
    some = moved(dataclasses.replace(weights, frozen=frozenset(frozen)), gaussians)
    for field, (attribute, _) in zip(RAW, names.HEADS.values(), strict=True):
        expected = gaussians if attribute in frozen else free
        assert np.array_equal(getattr(some, field), getattr(expected, field)), field


def test_the_canonical_gaussians_may_be_read_only() -> None:
    weights, gaussians = random_avatar(100)
    expected = moved(weights, gaussians)
    for name in RAW:
        getattr(gaussians, name).flags.writeable = False
    assert furthest(moved(weights, gaussians), expected) == 0
