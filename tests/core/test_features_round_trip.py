"""Features of other programs go from training to render, worker and evaluation in one shape."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.features import counted, track_for
from core.avatar.file import load_avatar
from core.bake.backends import choose_backend
from core.cli import main
from core.dataset.load import load_clip
from core.dataset.sound import shortened, training_track
from core.engine.worker import WorkerEngine
from core.evaluation.evaluate import Options, evaluate
from core.evaluation.sounds import voice_of
from tests.support.talking import files, job_for, small_avatar
from tests.support.talking_clip import FRAMES
from tests.support.training_runs import SMALL, job_of, make_talking_clip, train

# As the field's scripts write them: HuBERT two steps a row, wav2vec windows with the steps last.
SHAPES = {
    "hubert": ("aud_hu.npy", (FRAMES, 2, 48)),
    "wav2vec2": ("aud_eo.npy", (FRAMES, 44, 16)),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with both files."""
    folder = make_talking_clip(tmp_path_factory.mktemp("talking"))
    for name, shape in SHAPES.values():
        np.save(folder / name, np.random.default_rng(2).normal(3, 2, shape).astype(np.float32))
    return folder


@pytest.mark.parametrize("kind", SHAPES)
def test_an_avatar_gets_the_rows_of_its_training(clip: Path, kind: str, tmp_path: Path) -> None:
    track, spec = shortened(*training_track(load_clip(clip), kind), SMALL.window)
    avatar = replace(small_avatar(tmp_path / "a.egs"), features=spec)
    features = clip / SHAPES[kind][0]
    np.testing.assert_array_equal(track_for(avatar, features).windows, track.windows)
    assert counted(avatar, features) == (features, FRAMES)


def test_training_render_worker_and_evaluation_take_the_same_file(
    clip: Path, tmp_path: Path
) -> None:
    few = replace(SMALL, features="hubert", static_steps=1, lips_steps=1, motion_steps=1)
    job = job_of(clip, tmp_path / "out", few)
    train(job)
    path, features = job.out, clip / "aud_hu.npy"
    command = ["render", str(path), "--out", str(tmp_path / "cli"), "--audio", str(features)]
    assert main([*command, "--frames", "1-3", "--engine", "builtin", "--backend", "numpy"]) == 0
    wanted = [data for name, data in files(tmp_path / "cli").items() if name.endswith(".png")]
    assert len(wanted) == 3
    avatar = load_avatar(path)
    worker = WorkerEngine(Path(sys.executable), tmp_path / "log", backend="numpy")
    try:
        list(worker.bake(job_for(path, avatar, tmp_path / "worker", 3, voice=features)))
    finally:
        worker.close()
    assert list(files(tmp_path / "worker").values()) == wanted
    dataset = load_clip(clip)
    rows = dataset.val_rows[:2]
    voice = voice_of(avatar, dataset, rows, split=False)
    assert voice.source == features.name
    np.save(tmp_path / "other.npy", np.load(features)[:4])
    report = evaluate(
        avatar,
        dataset,
        choose_backend("numpy"),
        Options(rows=(f"{rows[0]}-{rows[1]}",), audio=(tmp_path / "other.npy",)),
        lambda *_: None,
    )
    assert report.sections[-1].title == "Another voice: other.npy"
