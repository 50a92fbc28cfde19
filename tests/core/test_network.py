"""The numpy network: equal to the official one, fused equal to plain, no weight unused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.errors import CheckpointError, FeatureMismatchError
from core.network import names
from core.network.deformer import splats_at
from core.network.numpy import reference
from core.network.numpy.audio_net import encode
from core.network.numpy.folded_network import NumpyDeformer, prepare
from core.network.numpy.fused_attention import ROWS
from core.network.numpy.tokens import OFFICIAL_FREQUENCIES, eye_code
from core.network.numpy.triplane import sample_plane
from core.network.official.compare import largest_errors, static_attributes
from core.network.official.reference_file import read_reference
from core.records.audio_track import AudioTrack
from core.records.gaussians import ATTRIBUTES, WIDTHS, Gaussians, activate
from core.records.moment import Moment
from core.records.weights import EGSTALKER, GAUSSIANTALKER, NetworkWeights
from core.system.gemm import Gemm, numpy_has_blas
from tests.support.synthetic import random_avatar, random_pose, random_windows

# tests/golden/network_*.npz: the official reference files cut to the first 200 Gaussians (each row
# of the outputs depends on itself and on ESAA's first 200 only), plane texels that none of them
# touches zeroed, intermediates and unused tensors left out. Tolerance 1e-5 absolute.
GOLDEN = Path(__file__).parents[1] / "golden"
KINDS = (EGSTALKER, GAUSSIANTALKER)
RAW = tuple(attribute.raw for attribute in ATTRIBUTES)
EYE = 0.37


def frame(deformer: NumpyDeformer, seed: int = 0, strength: float = 1.0) -> Gaussians:
    code = deformer.encode_audio(random_windows(seed))
    return deformer.deform_raw(code, EYE, random_pose(seed), strength)


def plain(weights: NetworkWeights, gaussians: Gaussians, seed: int = 0) -> Gaussians:
    pose = random_pose(seed)
    return reference.forward(weights, gaussians, random_windows(seed), EYE, pose).gaussians


def furthest(a: Gaussians, b: Gaussians) -> float:
    return max(float(np.abs(getattr(a, name) - getattr(b, name)).max()) for name in RAW)


def same_bits(a: Gaussians, b: Gaussians) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in RAW)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_official_network(kind: str) -> None:
    errors = largest_errors(read_reference(GOLDEN / f"network_{kind}.npz"), "numpy")
    assert len(errors) == 14
    assert max(errors.values()) <= 1e-5, errors


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_whole_official_reference(kind: str, shared: Path) -> None:
    file = read_reference(shared / "reference" / f"reference_{kind}.npz")
    errors = largest_errors(file, "numpy")
    assert len(errors) == 14
    assert max(errors.values()) <= 1e-5, errors


@pytest.mark.parametrize("blas", [True, False])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_prepared_equals_plain(kind: str, layers: int, blas: bool) -> None:
    weights, gaussians = random_avatar(ROWS + 500, kind, layers=layers, agents=70)
    expected = plain(weights, gaussians)
    moved = frame(prepare(weights, gaussians, blas=blas))
    assert furthest(moved, expected) < 2e-6
    assert furthest(expected, gaussians) > 0.01  # the network does something
    assert all(getattr(moved, name).dtype == np.float32 for name in RAW)


def test_fewer_gaussians_than_agents() -> None:
    weights, gaussians = random_avatar(30, agents=200)
    assert furthest(frame(prepare(weights, gaussians)), plain(weights, gaussians)) < 2e-6


@pytest.mark.parametrize("kind", KINDS)
def test_heads_change_the_attention(kind: str) -> None:
    weights, gaussians = random_avatar(60, kind)
    other = dataclasses.replace(weights, heads=4)
    assert furthest(plain(weights, gaussians), plain(other, gaussians)) > 1e-5
    assert furthest(frame(prepare(other, gaussians)), plain(other, gaussians)) < 2e-6


def test_agents_are_the_first_gaussians() -> None:
    weights, gaussians = random_avatar(60, agents=10)
    order = np.r_[0:10, 59:9:-1]
    shuffled = Gaussians(*(getattr(gaussians, name)[order] for name in RAW))
    moved, other = plain(weights, gaussians), plain(weights, shuffled)
    np.testing.assert_allclose(other.means, moved.means[order], atol=1e-6)
    reverse = Gaussians(*(getattr(gaussians, name)[::-1] for name in RAW))
    assert np.abs(plain(weights, reverse).means[::-1] - moved.means).max() > 1e-5


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_changes_the_output(kind: str, layers: int) -> None:
    weights, gaussians = random_avatar(60, kind, layers=layers, agents=20, resolution=4)
    base = frame(prepare(weights, gaussians))
    # A constant added to every key cancels in the softmax, in the official network too.
    without_effect = {f"{names.layer_prefix(i)}enc_dec_attention.w_k.bias" for i in range(layers)}
    for name in sorted(set(weights.arrays) - without_effect):
        array = weights.arrays[name]
        gain = 3 if "attentionConvNet" in name else 0.3  # the eight windows' shares are stubborn
        noise = gain * np.random.default_rng(1).normal(size=array.shape).astype(np.float32)
        changed = dataclasses.replace(weights, arrays={**weights.arrays, name: array + noise})
        moved = frame(prepare(changed, gaussians))
        assert furthest(moved, base) > 1e-6, f"{name} is read by nothing"
        assert furthest(moved, plain(changed, gaussians)) < 1e-5, name


def test_every_input_changes_the_output() -> None:
    weights, gaussians = random_avatar(100)
    deformer = prepare(weights, gaussians)
    code, pose = deformer.encode_audio(random_windows()), random_pose()
    base = deformer.deform_raw(code, EYE, pose, 1.0)
    other_code = deformer.encode_audio(random_windows(1))
    assert furthest(deformer.deform_raw(other_code, EYE, pose, 1.0), base) > 1e-5
    assert furthest(deformer.deform_raw(code, EYE + 0.1, pose, 1.0), base) > 1e-5
    assert furthest(deformer.deform_raw(code, EYE, random_pose(1), 1.0), base) > 1e-5


@pytest.mark.parametrize("blas", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_input_gives_the_same_bits(kind: str, blas: bool) -> None:
    weights, gaussians = random_avatar(ROWS + 500, kind)
    deformer = prepare(weights, gaussians, blas=blas)
    first = frame(deformer)
    frame(deformer, seed=1)  # nothing of another frame stays behind
    assert same_bits(frame(deformer), first)
    assert same_bits(frame(prepare(weights, gaussians, blas=blas)), first)


def test_a_frame_alone_equals_the_frame_of_a_sequence() -> None:
    weights, gaussians = random_avatar(100)
    rows = np.random.default_rng(0).normal(size=(12, 16, 29)).astype(np.float32)
    track = AudioTrack(rows)
    deformer = prepare(weights, gaussians)
    moments = [Moment(i / 25, 0.2, random_pose()) for i in range(12)]
    sequence = [splats_at(deformer, track, moment) for moment in moments]
    alone = splats_at(prepare(weights, gaussians), track, moments[7])
    assert np.array_equal(alone.means, sequence[7].means)
    assert np.array_equal(alone.sh, sequence[7].sh)
    assert not np.array_equal(alone.means, sequence[6].means)


def test_strength_scales_the_offsets() -> None:
    weights, gaussians = random_avatar(100)
    deformer = prepare(weights, gaussians)
    full = frame(deformer)
    assert same_bits(frame(deformer, strength=0.0), gaussians)
    half = frame(deformer, strength=0.5)
    np.testing.assert_allclose(half.means, (full.means + gaussians.means) / 2, atol=1e-6)


@pytest.mark.parametrize("attribute", list(WIDTHS))
def test_a_frozen_attribute_stays_canonical(attribute: str) -> None:
    weights, gaussians = random_avatar(100)
    frozen = dataclasses.replace(weights, frozen=frozenset({attribute}))
    free, moved = frame(prepare(weights, gaussians)), frame(prepare(frozen, gaussians))
    field = next(a.raw for a in ATTRIBUTES if a.name == attribute)
    assert np.array_equal(getattr(moved, field), getattr(gaussians, field))
    for other in set(RAW) - {field}:
        assert np.array_equal(getattr(moved, other), getattr(free, other))
    assert same_bits(plain(frozen, gaussians), plain(frozen, gaussians))
    assert furthest(plain(frozen, gaussians), moved) < 2e-6


def test_deform_activates() -> None:
    weights, gaussians = random_avatar(100)
    deformer = prepare(weights, gaussians)
    code = deformer.encode_audio(random_windows())
    splats = deformer.deform(code, EYE, random_pose(), 1.0)
    expected = activate(frame(deformer))
    for name in ("means", "quats", "scales", "opacities", "sh"):
        assert np.array_equal(getattr(splats, name), getattr(expected, name))
    np.testing.assert_allclose(np.linalg.norm(splats.quats, axis=1), 1, atol=1e-6)


def test_the_canonical_gaussians_are_not_written_to() -> None:
    weights, gaussians = random_avatar(100)
    before = [getattr(gaussians, name).copy() for name in RAW]
    frame(prepare(weights, gaussians))
    for name, value in zip(RAW, before, strict=True):
        assert np.array_equal(getattr(gaussians, name), value)


def test_eye_code_uses_float64_and_rounded_frequencies() -> None:
    # The exact float32 values of docs/method.md §3.5.
    assert OFFICIAL_FREQUENCIES.tolist()[12:] == [
        1000.0,
        1778.2794189453125,
        3162.277587890625,
        5623.4130859375,
    ]
    code = eye_code(0.37)
    assert code.dtype == np.float32 and code.shape == (32,)
    assert code[30] == np.float32(np.sin(0.37 * 5623.4130859375))
    assert code[31] == np.float32(np.cos(0.37 * 5623.4130859375))


def test_planes_are_sampled_at_texel_centres_and_clamped() -> None:
    plane = np.arange(12, dtype=np.float32).reshape(1, 3, 4)  # value = 4 row + column
    u = np.array([-1, 1, 0, -1, 9, -9], np.float32)
    v = np.array([-1, 1, 0, 0, 0, 9], np.float32)
    np.testing.assert_allclose(sample_plane(plane, u, v)[:, 0], [0, 11, 5.5, 4, 7, 8])


@pytest.mark.parametrize("steps", [1, 2, 9, 16])
def test_sound_windows_of_other_lengths_and_sizes(steps: int) -> None:
    weights, gaussians = random_avatar(20, audio_dim=80)
    code = prepare(weights, gaussians).encode_audio(random_windows(audio_dim=80, steps=steps))
    assert code.shape == (32,) and code.dtype == np.float32


@pytest.mark.parametrize("shape", [(8, 30, 16), (7, 29, 16), (8, 29, 17), (8, 29, 0), (29, 16)])
def test_sound_that_does_not_fit_is_an_error(shape: tuple[int, ...]) -> None:
    weights, _ = random_avatar(20)
    with pytest.raises(FeatureMismatchError, match="29"):
        encode(weights.arrays, np.zeros(shape, np.float32))


def test_static_heads_need_only_the_planes() -> None:
    weights, gaussians = random_avatar(50, static=True)
    found = static_attributes(weights.arrays, gaussians.means)
    assert {name: value.shape for name, value in found.items()} == {
        "scales": (50, 3),
        "rotations": (50, 4),
        "opacity": (50, 1),
        "shs": (50, 48),
    }


def test_without_a_blas_threads_do_the_work() -> None:
    gemm = Gemm(blas=False)
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=s).astype(np.float32) for s in ((300, 64), (64, 128)))
    np.testing.assert_allclose(gemm.multiply(a, b), a @ b, atol=1e-4)
    done: list[int] = []
    gemm.for_each(done.append, range(40))
    assert sorted(done) == list(range(40))
    with pytest.raises(ZeroDivisionError):
        gemm.for_each(lambda i: 1 // i, [1, 0])


def test_a_numpy_without_blas_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    def config(found: bool) -> dict[str, dict[str, dict[str, object]]]:
        return {"Build Dependencies": {"blas": {"name": "x", "found": found}}}

    monkeypatch.setattr(np, "show_config", lambda mode: config(True))
    assert numpy_has_blas()
    monkeypatch.setattr(np, "show_config", lambda mode: config(False))
    assert not numpy_has_blas()
    monkeypatch.setattr(np, "show_config", lambda: None)  # a distutils build knows no modes
    monkeypatch.setattr(np.__config__, "get_info", lambda name: {}, raising=False)
    assert not numpy_has_blas()
    monkeypatch.setattr(np.__config__, "get_info", lambda name: {"libraries": ["openblas"]})
    assert numpy_has_blas()


def test_prepare_checks_the_weights() -> None:
    weights, gaussians = random_avatar(20)
    arrays = {name: a for name, a in weights.arrays.items() if name != "null_vector"}
    with pytest.raises(CheckpointError, match="null_vector is missing"):
        prepare(NetworkWeights(weights.kind, arrays), gaussians)
