"""`python -m core bench`: every stage has a figure."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.audio.spec import FeatureSpec
from core.avatar.file import load_avatar
from core.benchmark import features, made_sound, measured
from core.cli import main
from tests.core.talking import small_avatar

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


def test_the_first_time_stands_apart_from_the_others():
    row = measured("a", "b", lambda n: [None for _ in range(n)], [100_000, 1, 1, 1])
    assert row.first_ms > row.median_ms >= row.min_ms > 0 and row.runs == 3


def test_every_stage_has_a_figure(path, capsys):
    assert main(["bench", str(path), "--backend", "numpy", "--frames", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    stages = {row["stage"] for row in result["stages"] if row["min_ms"] > 0}
    assert stages == {"prepare", "deform", "rasterise", "whole frame", "write"}
    assert result["machine"]["cores"] >= 1 and result["machine"]["packages"]["numpy"]


def test_the_table_names_what_was_measured(path, capsys):
    assert main(["bench", str(path), "--backend", "reference", "--frames", "1"]) == 0
    table = capsys.readouterr().out
    assert "120 splats, 48x48" in table and "rasterise    reference" in table


def test_features_are_timed_where_the_avatar_hears_log_mel(path):
    avatar = load_avatar(path)
    assert list(features(avatar, made_sound())) == []
    (row,) = features(replace(avatar, features=LOG_MEL), made_sound(), runs=2)
    assert 0 < row.min_ms < 40  # a frame's share, not the whole sound


def test_a_bad_count_is_refused(path, capsys):
    assert main(["bench", str(path), "--frames", "0"]) == 2
    assert "--frames 0" in capsys.readouterr().err
