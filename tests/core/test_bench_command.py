"""`python -m core bench`: every stage has a figure."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.audio.extractor import computed_spec
from core.avatar.file import load_avatar, save_avatar
from core.bake.backends import backend_named
from core.bake.freezing import freeze
from core.benchmarks import rows as rows_module
from core.benchmarks.rows import measured, per_item
from core.benchmarks.scaling import resampled
from core.benchmarks.stages import features, made_sound, made_track
from core.cli import main
from core.records.feature_spec import FeatureSpec
from tests.support.talking import small_avatar
from tests.support.waiting import Clock

MEL = {
    "sample_rate": 16000,
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 320,
    "n_mels": 80,
    "fmin": 0.0,
    "fmax": 8000.0,
    "log_epsilon": 1e-5,
}
LOG_MEL = FeatureSpec(kind="log-mel", dim=80, parameters=MEL)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    small_avatar(path)
    return path


@pytest.fixture
def clock(monkeypatch):
    """Of every row."""
    clock = Clock()
    fake = SimpleNamespace(perf_counter=clock, process_time=clock)
    monkeypatch.setattr(rows_module, "time", fake)
    return clock


def test_the_first_time_stands_apart_from_the_others(clock):
    row = measured("a", "b", clock.advance, [0.1, 0.03, 0.01, 0.02])
    found = (row.first_ms, row.median_ms, row.min_ms, row.cpu_ms)
    assert found == pytest.approx((100, 20, 10, 10)) and row.runs == 3


def test_work_that_overlaps_counts_by_its_end(clock):
    row = per_item("a", "b", clock.advance, [0.1, 0.01, 0.01, 0.01, 0.01, 0.06])
    assert (row.first_ms, row.min_ms) == pytest.approx((100, 20)) and row.runs == 5


def test_every_part_has_its_figures(path, capsys):
    assert main(["bench", str(path), "--backend", "numpy", "--frames", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    stages = {(row["stage"], row["backend"]) for row in result["stages"] if row["min_ms"] > 0}
    names = {stage for stage, _ in stages}
    assert {"prepare", "deform", "rasterise", "bake", "write"} <= names
    assert {"import core", "and load .egs", "worker to hello"} <= names
    assert {("first frame, cold", "numpy"), ("deform", "authors' order")} <= stages
    assert ("plan 100,000 frames", "-") in stages
    assert result["machine"]["cores"] >= 1 and result["machine"]["packages"]["numpy"]
    assert {backend for stage, backend in stages if stage in ("prepare", "bake")} == {"numpy"}


def test_exact_and_approximate_stand_side_by_side(path, tmp_path, capsys):
    avatar, egs = load_avatar(path), tmp_path / "held.egs"
    frozen = freeze(avatar, made_track(avatar), "made", backend_named("numpy"), least=18, frames=2)
    save_avatar(replace(avatar, frozen_gaussians=frozen), egs)
    options = ["--backend", "numpy", "--frames", "2", "--parts", "stages", "--json"]
    assert main(["bench", str(egs), *options]) == 0
    rows = json.loads(capsys.readouterr().out)["stages"]
    found = {(row["stage"], row["backend"]) for row in rows}
    assert {("deform", "numpy, approximate"), ("bake", "numpy, approximate")} < found


def test_threads_and_sizes_are_shown_with_numba(path, capsys):
    pytest.importorskip("numba", reason="needs numba")
    options = ["--backend", "numba", "--frames", "1", "--parts", "scaling", "--json"]
    assert main(["bench", str(path), *options]) == 0
    rows = json.loads(capsys.readouterr().out)["stages"]
    found = {(row["stage"], row["backend"]) for row in rows}
    assert {("deform", f"{n} threads") for n in (2, 4)} < found
    assert {("rasterise 1080p", "1 thread"), ("deform", "numba 120k")} < found


def test_a_step_of_training_has_its_figures(path, capsys):
    pytest.importorskip("numba", reason="needs numba")
    pytest.importorskip("torch", reason="needs torch")
    assert main(["bench", str(path), "--frames", "1", "--parts", "training", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    found = [row["stage"] for row in result["stages"] if row["min_ms"] > 0]
    both = ["move to train", "losses to train"]  # torch's, then numba's
    drawn = ["draw, no gradient", "draw to train", "and gradients", "gradients, small"]
    assert found == [*drawn, *both, *both]
    assert result["skipped"] == []


def test_the_table_names_what_was_measured(path, capsys):
    options = ["--backend", "reference", "--frames", "1", "--parts", "stages"]
    assert main(["bench", str(path), *options]) == 0
    table = capsys.readouterr().out
    assert "120 splats, 48x48" in table and "rasterise          reference " in table


def test_a_removed_part_is_refused_with_those_that_exist(path, capsys):
    assert main(["bench", str(path), "--parts", "stages", "roofline"]) == 2
    said = capsys.readouterr().err
    assert (
        "--parts roofline was removed; choose from stages, scaling, startup, training, video"
        in said
    )


def test_a_resampled_avatar_keeps_its_agents(path):
    avatar = load_avatar(path)
    other = resampled(avatar, 500)
    agents = avatar.network.agents
    assert len(other.gaussians) == 500
    assert (other.gaussians.means[:agents] == avatar.gaussians.means[:agents]).all()
    assert len(resampled(avatar, 7).gaussians) == 7
    backend_named("numpy").prepare(other)


def test_features_are_timed_where_they_are_computed(path):
    avatar = load_avatar(path)
    assert list(features(avatar, made_sound())) == []
    for spec in (LOG_MEL, computed_spec("phonetic")):
        rows = list(features(replace(avatar, features=spec), made_sound(), runs=2))
        assert [row.stage for row in rows] == ["features", "features, chunk"]
        assert all(row.min_ms > 0 for row in rows)
    assert rows[0].cpu_ms < 40  # a frame's share, not the whole sound


def test_a_bad_count_is_refused(path, capsys):
    assert main(["bench", str(path), "--frames", "0"]) == 2
    assert "--frames 0" in capsys.readouterr().err
