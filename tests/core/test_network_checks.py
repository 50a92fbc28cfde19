"""Names and shapes that the network needs, and the line that names a fault."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.errors import CheckpointError
from core.network import names
from core.network.architecture import KINDS as ARCHITECTURES
from core.network.architecture import kind_of, tensor_names
from core.network.checks import check_weights
from core.records.gaussians import Gaussians
from core.records.weights import EGSTALKER, GAUSSIANTALKER, NetworkWeights
from tests.support.synthetic import random_avatar

KINDS = (EGSTALKER, GAUSSIANTALKER)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_names_and_counts(kind: str, layers: int) -> None:
    weights, gaussians = random_avatar(20, kind, layers=layers)
    assert set(tensor_names(dataclasses.replace(ARCHITECTURES[kind], layers=layers))) == set(
        weights.arrays
    )
    assert kind_of(weights.arrays) == kind
    assert names.layer_count(weights.arrays) == layers
    assert names.level_count(weights.arrays) == 2
    check_weights(weights, gaussians)


def test_static_names() -> None:
    weights, _ = random_avatar(20, static=True)
    plain = set(tensor_names(ARCHITECTURES[EGSTALKER]))
    assert set(names.static_names()) == set(weights.arrays) - plain
    assert names.has_static_heads(weights.arrays)
    check_weights(weights)


def test_kind_of_something_else() -> None:
    assert kind_of({"foo": 1}) is None


def test_agent_count() -> None:
    name = "transformer.layers.0.enc_dec_attention.attention_proj_layer.weight"
    assert names.agent_count({name: np.zeros((64, 77), np.float32)}) == 77
    assert names.agent_count({}) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_tensor_is_named(kind: str) -> None:
    weights, _ = random_avatar(20, kind)
    for name in weights.arrays:
        arrays = {n: a for n, a in weights.arrays.items() if n != name}
        with pytest.raises(CheckpointError) as caught:
            check_weights(dataclasses.replace(weights, arrays=arrays))
        assert str(caught.value).startswith(f"{name} is missing")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_wrong_shape_is_refused(kind: str) -> None:
    weights, _ = random_avatar(20, kind)
    for name, array in weights.arrays.items():
        for wrong in (array[None], array[:-1], np.concatenate([array, array])):
            with pytest.raises(CheckpointError) as caught:
                check_weights(dataclasses.replace(weights, arrays={**weights.arrays, name: wrong}))
            assert "\n" not in str(caught.value)


def changed(weights: NetworkWeights, name: str, array: np.ndarray) -> NetworkWeights:
    return dataclasses.replace(weights, arrays={**weights.arrays, name: array})


def test_values_and_settings() -> None:
    weights, gaussians = random_avatar(20)
    bias = weights.arrays["pos_deform.3.bias"]
    aabb = weights.arrays["tri_plane.grid.aabb"]
    none = Gaussians(*(getattr(gaussians, f.name)[:0] for f in dataclasses.fields(gaussians)))
    nan = bias * np.float32(np.nan)
    cases: list[tuple[str, NetworkWeights]] = [
        ("pos_deform.3.bias holds values", changed(weights, "pos_deform.3.bias", nan)),
        ("is float64", changed(weights, "pos_deform.3.bias", bias.astype(np.float64))),
        ("no extent", changed(weights, "tri_plane.grid.aabb", aabb[[0, 0]])),
        ("kind 'foo'", dataclasses.replace(weights, kind="foo")),
        ("n_head is 5", dataclasses.replace(weights, heads=5)),
        ("agent_num is 0", dataclasses.replace(weights, agents=0)),
        ("'hair'", dataclasses.replace(weights, frozen=frozenset({"hair"}))),
    ]
    for text, wrong in cases:
        with pytest.raises(CheckpointError, match=text):
            check_weights(wrong, gaussians)
    with pytest.raises(CheckpointError, match="no Gaussians"):
        check_weights(weights, none)
