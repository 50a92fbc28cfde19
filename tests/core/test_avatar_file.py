"""The avatar file: reading returns what was written, bit for bit; errors name the fault."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from core.avatar import file as avatar_file
from core.avatar.file import load_avatar, save_avatar
from core.errors import AvatarFileError, CheckpointError
from core.formats.safetensors import read_tensors
from core.network.architecture import KINDS, tensor_names
from core.official.importing import ImportOptions, import_avatar
from core.records.weights import GAUSSIANTALKER, NetworkWeights
from tests.support.avatar_inputs import small_avatar
from tests.support.egs_files import Table, assert_same, leaves, put, rewrite
from tests.support.synthetic import random_avatar

GOLDEN = Path(__file__).parents[1] / "golden" / "avatar_v1.egs"
GOLDEN_ROWS = [
    0.132171988,
    -0.178551301,
    0.528970003,
    0.553106368,
    0.415249527,
    0.324916065,
    -0.0897573382,
    -0.257548064,
    -0.533181369,
    -0.47234723,
    0.027594218,
    -0.0336336792,
    0.0345264897,
]
GOLDEN_SUMS = (218501, 295918)
GOLDEN_EYE = 0.6369616873214543


def test_round_trip_is_exact(tmp_path: Path) -> None:
    avatar = small_avatar()
    path = tmp_path / "x.egs"
    content_hash = save_avatar(avatar, path)
    loaded = load_avatar(path)
    assert_same(avatar, loaded)
    assert loaded.content_hash == content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_round_trip_of_the_other_kind_and_its_configuration(tmp_path: Path) -> None:
    weights, gaussians = random_avatar(30, GAUSSIANTALKER, resolution=4, layers=2)
    network = NetworkWeights(GAUSSIANTALKER, weights.arrays, frozenset({"sh", "means"}), 77, 4)
    avatar = dataclasses.replace(small_avatar(30), network=network, gaussians=gaussians)
    save_avatar(avatar, tmp_path / "x.egs")
    assert_same(avatar, load_avatar(tmp_path / "x.egs"))


def test_a_still_round_trips(tmp_path: Path) -> None:
    avatar = dataclasses.replace(small_avatar(network=False), background=None, track=None)
    save_avatar(avatar, tmp_path / "x.egs")
    assert_same(avatar, load_avatar(tmp_path / "x.egs"))


def test_only_what_the_network_needs_is_stored(tmp_path: Path) -> None:
    weights, gaussians = random_avatar(30, resolution=4, static=True)
    avatar = dataclasses.replace(small_avatar(30), network=weights, gaussians=gaussians)
    save_avatar(avatar, tmp_path / "x.egs")
    loaded = load_avatar(tmp_path / "x.egs")
    assert loaded.network is not None
    assert (
        set(loaded.network.arrays) == set(tensor_names(KINDS[weights.kind])) < set(weights.arrays)
    )


def test_half_rounds_only_what_tolerates_it(tmp_path: Path) -> None:
    avatar = small_avatar()
    save_avatar(avatar, tmp_path / "x.egs", half=True)
    loaded = load_avatar(tmp_path / "x.egs")
    before, after = leaves(avatar), leaves(loaded)
    changed = {k for k in before if k != ".content_hash" and np.any(before[k] != after[k])}
    grids = {key for key in before if "grids" in key}
    assert changed == {".gaussians.sh", *grids}
    for key in changed:
        assert after[key].dtype == np.float32
        np.testing.assert_allclose(after[key], before[key], rtol=2**-11, atol=2**-25)
    assert np.array_equal(loaded.gaussians.sh[:, 0], avatar.gaussians.sh[:, 0])


def test_half_keeps_values_that_do_not_fit(tmp_path: Path) -> None:
    avatar = small_avatar()
    avatar.gaussians.sh[0, 5, 0] = 1e5
    save_avatar(avatar, tmp_path / "x.egs", half=True)
    assert np.array_equal(load_avatar(tmp_path / "x.egs").gaussians.sh, avatar.gaussians.sh)


def test_weights_that_cannot_run_are_not_written(tmp_path: Path) -> None:
    avatar = small_avatar()
    assert avatar.network is not None
    arrays = {k: v for k, v in avatar.network.arrays.items() if k != "null_vector"}
    network = dataclasses.replace(avatar.network, arrays=arrays)
    with pytest.raises(CheckpointError, match="null_vector"):
        save_avatar(dataclasses.replace(avatar, network=network), tmp_path / "x.egs")
    assert not list(tmp_path.iterdir())


def test_version_1_stays_readable() -> None:
    """tests/golden/avatar_v1.egs: a still of 8 Gaussians, saved when version 1 was new."""
    avatar = load_avatar(GOLDEN)
    assert (avatar.name, avatar.licence, avatar.network) == ("Mäx", "CC BY 4.0", None)
    assert avatar.provenance == {"source": "a test"}
    assert (avatar.camera.fx, avatar.camera.width, avatar.camera.viewmat[2, 3]) == (60.5, 24, 7.7)
    gaussians, images, track = avatar.gaussians, avatar.background, avatar.track
    assert gaussians.means.shape == (8, 3)
    rows = [gaussians.means[0], gaussians.quats[3], gaussians.log_scales[1], gaussians.sh[7, 15]]
    np.testing.assert_array_equal(np.concatenate(rows), np.float32(GOLDEN_ROWS))
    assert images is not None and images.torso is not None and track is not None
    assert (int(images.image.sum()), int(images.torso.sum())) == GOLDEN_SUMS
    assert track.viewmats.shape == (6, 4, 4) and track.eyes[0] == GOLDEN_EYE
    assert avatar.body is None and track.bodies is None


def test_version_1_is_rewritten_as_version_2_without_a_loss(tmp_path: Path) -> None:
    avatar = load_avatar(GOLDEN)
    save_avatar(avatar, tmp_path / "x.egs")
    tensors, metadata, _ = read_tensors(tmp_path / "x.egs")
    assert metadata["version"] == "2" and not any(name.startswith("body.") for name in tensors)
    assert_same(avatar, load_avatar(tmp_path / "x.egs"))


NAN = np.full((40, 3), np.nan, np.float32)
CONV = "network.audio_net.encoder_conv.0.weight"
EYE = np.eye(4, dtype=np.float32)[None]
WRONG = {
    "newer": (put("m", "version", "5"), "version 5 is newer than 4"),
    "ancient": (put("m", "version", "0"), "version 0 is not known"),
    "version text": (put("m", "version", "²"), "is not a number"),
    "other format": (put("m", "format", "pt"), "not an avatar"),
    "no JSON": (put("m", "avatar", "{"), "not valid JSON"),
    "a list": (put("m", "avatar", "[]"), "not a JSON object"),
    "no name": (put("d", "name", None), "'name' is missing or not a string"),
    "licence no text": (put("d", "licence", 3), "'licence' is missing or not a string"),
    "no camera": (put("d", "camera", None), "'camera' is missing"),
    "camera skewed": (put("d", "camera", "viewmat", [[2.0] * 4] * 4), "not a rotation"),
    "camera of text": (put("d", "camera", "viewmat", [["a"]]), "list of numbers"),
    "camera ragged": (put("d", "camera", "viewmat", [[1], [1, 2]]), "list of numbers"),
    "camera size": (put("d", "camera", "width", 10**6), "outside 1..16384"),
    "camera focal": (put("d", "camera", "fx", 10**400), "'fx' is missing or not a finite"),
    "kind": (put("d", "network", "kind", "nerf"), "known are egstalker, gaussiantalker"),
    "kind swapped": (put("d", "network", "kind", "gaussiantalker"), "is missing"),
    "frozen": (put("d", "network", "frozen", ["hair"]), "may only name"),
    "frozen a number": (put("d", "network", "frozen", [[]]), "may only name"),
    "agents": (put("d", "network", "agents", 0), "outside 1.."),
    "agents true": (put("d", "network", "agents", True), "whole number"),
    "heads": (put("d", "network", "heads", 7), "does not divide"),
    "features lost": (put("d", "features", None), "go together"),
    "features dim": (put("d", "features", "dim", 44), "needs 44 means"),
    "features unlike": (
        lambda d, t, m: d["features"].update(dim=44, normalisation="none", mean=[], std=[]),
        "44 sound values a step, the network takes 29",
    ),
    "features rate": (put("d", "features", "rate", -1), "must be positive"),
    "features std": (put("d", "features", "std", [0.0] * 29), "positive deviations"),
    "means lost": (put("t", "gaussians.means", None), "'gaussians.means' is missing"),
    "means NaN": (put("t", "gaussians.means", NAN), "120 values that are not finite"),
    "means shape": (put("t", "gaussians.means", NAN[:, :2]), "not float any x 3"),
    "means whole": (put("t", "gaussians.means", np.zeros((40, 3), np.uint8)), "uint8"),
    "no Gaussians": (put("t", "gaussians.means", NAN[:0]), "0 Gaussians"),
    "count differs": (put("t", "gaussians.quats", np.ones((39, 4))), "not float 40 x 4"),
    "weight lost": (put("t", CONV, None), "is missing"),
    "weight shape": (put("t", CONV, np.ones((32, 29), np.float32)), "expected 32 x any x 3"),
    "weight NaN": (put("t", "network.null_vector", np.full((1, 1, 64), np.nan)), "not finite"),
    "weight huge": (put("t", "network.null_vector", np.full((1, 1, 64), 1e300)), "not finite"),
    "torso size": (put("t", "plates.torso", np.zeros((8, 24, 4), np.uint8)), "background image"),
    "torso type": (put("t", "plates.torso", np.zeros((24, 24, 4), np.float32)), "background image"),
    "track empty": (
        lambda d, t, m: t.update({"track.viewmats": EYE[:0], "track.eyes": np.zeros(0)}),
        "no rows",
    ),
    "track skewed": (put("t", "track.viewmats", np.repeat(2 * EYE, 6, 0)), "not rotations"),
    "track unequal": (put("t", "track.eyes", np.zeros(5)), "not float 6"),
    "eyes": (put("t", "track.eyes", np.full(6, 1.5)), "outside 0..1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    change, message = WRONG[name]
    path = tmp_path / "x.egs"
    save_avatar(small_avatar(), path)
    rewrite(path, change)
    with pytest.raises(AvatarFileError, match=message) as caught:
        load_avatar(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_an_old_version_is_upgraded_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.egs"
    save_avatar(small_avatar(), path)

    def to_2(document: Table, tensors: Table) -> None:
        document["name"] += " two"

    def to_3(document: Table, tensors: Table) -> None:
        document["name"] += " three"

    rewrite(path, put("m", "version", "1"))
    monkeypatch.setattr(avatar_file, "VERSION", 3)
    monkeypatch.setattr(avatar_file, "UPGRADES", {1: to_2, 2: to_3})
    assert load_avatar(path).name == "Mäx two three"


def test_random_damage_never_escapes(tmp_path: Path) -> None:
    path = tmp_path / "x.egs"
    save_avatar(small_avatar(4, network=False), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        # Mostly the header: the tensors' own values may change without harm.
        for place in rng.integers(0, rng.choice([1800, len(whole)]), rng.integers(1, 5)):
            content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        try:
            load_avatar(path)
        except AvatarFileError:
            refused += 1
    assert refused > 100


def test_the_official_checkpoint_comes_back_bit_for_bit(shared: Path, tmp_path: Path) -> None:
    options = ImportOptions(dataset=shared / "talker_clip")
    avatar, notes = import_avatar(shared / "official_checkpoint", options)
    assert notes == ()
    save_avatar(avatar, tmp_path / "x.egs")
    started = time.process_time()
    loaded = load_avatar(tmp_path / "x.egs")
    assert time.process_time() - started < 1
    assert_same(avatar, loaded)


def test_half_is_small_and_close(shared: Path, tmp_path: Path) -> None:
    options = ImportOptions(dataset=shared / "talker_clip")
    avatar, _ = import_avatar(shared / "official_checkpoint", options)
    save_avatar(avatar, tmp_path / "x.egs", half=True)
    n = len(avatar.gaussians)
    assert n == 37901
    assert (tmp_path / "x.egs").stat().st_size <= 12e6 * n / 35_000
    loaded = load_avatar(tmp_path / "x.egs")
    assert np.abs(loaded.gaussians.sh - avatar.gaussians.sh).max() < 5e-4
