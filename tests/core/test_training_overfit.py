"""A training learns: it renders a small clip better, and the mouth follows the sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.audio.features import track_for
from core.avatar.file import load_avatar
from core.bake.backends import choose_backend
from core.bake.freezing import LEAST
from core.dataset.landmarks import triangulate
from core.dataset.load import TrainingClip, load_clip
from core.evaluation.lips import lip_gap
from core.network.deformer import Deformer, splats_at
from core.network.numba import network
from core.network.numpy import folded_network
from core.network.torch.deformer import prepare_plain
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.camera import pose_vector
from core.records.gaussians import Gaussians, activate
from core.records.moment import Moment
from core.training import trainer
from core.training.config import TrainConfig
from core.training.job import TrainJob
from core.training.preview import evenly_spaced
from tests.support.synthetic import random_pose, random_windows
from tests.support.talking_clip import SIDE
from tests.support.training_runs import (
    OFFICIAL,
    SMALL,
    job_of,
    make_talking_clip,
    state_of,
    stop_at,
    train,
)

LEARNING = replace(
    SMALL, static_steps=160, lips_steps=150, motion_steps=250, points=500, max_points=700,
    agents=32, hidden=32, decoder=16, resolution=16, window=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talking_clip(tmp_path_factory.mktemp("talking"))


class Learned:
    """One training, its head after the first stage, and its last preview."""

    def __init__(self, folder: Path, out: Path) -> None:
        self.job: TrainJob = job_of(folder, out, LEARNING)
        self.clip: TrainingClip = load_clip(folder)
        stop_at(self.job, "lips", 0)
        tensors, _ = state_of(self.job)
        c = {name: tensors[f"head/canonical.{name}"] for name in trainer.FIELDS}
        sh = np.concatenate([c["sh_dc"], c["sh_rest"]], axis=1)
        self.still = Gaussians(c["means"], c["log_scales"], c["quats"], c["opacity_logits"], sh)
        previews = []
        render = trainer.render_preview

        def remembering(*args: Any) -> Any:
            previews.append(render(*args))
            return previews[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trainer, "render_preview", remembering)
            self.events = train(replace(self.job, resume=True))
        self.preview = previews[-1]
        self.avatar: Avatar = load_avatar(self.job.out)
        assert self.avatar.features is not None
        self.track: AudioTrack = track_for(self.avatar, folder / "aud.wav")


@pytest.fixture(scope="module")
def learned(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return Learned(folder, tmp_path_factory.mktemp("learned"))


def moment_of(clip: TrainingClip, row: int) -> Moment:
    pose = pose_vector(clip.viewmats[row].astype(np.float32))
    return Moment(row / 25, float(clip.eyes[row]), pose)


def rendered(learned: Learned, rows: Sequence[int]) -> list[NDArray[np.float32]]:
    """What a bake of the .egs gives, over what lies behind the head."""
    backend = choose_backend("numba")
    deformer = backend.prepare(learned.avatar)
    out = []
    for row in rows:
        splats = splats_at(deformer, learned.track, moment_of(learned.clip, row))
        behind = learned.clip.frame(row).protocol_background.astype(np.float32) / 255
        out.append(backend.rasterise(splats, learned.clip.camera(row), behind)[..., :3])
    return out


def psnr(picture: NDArray[np.floating], target: NDArray[np.floating]) -> float:
    return float(-10 * np.log10(np.mean((picture.clip(0, 1) - target) ** 2)))


def true(learned: Learned, row: int) -> NDArray[np.float32]:
    return learned.clip.frame(row).original.astype(np.float32) / 255


def drawn_still(learned: Learned, rows: Sequence[int]) -> list[NDArray[np.float32]]:
    """The one face of the first stage."""
    backend, splats = choose_backend("numba"), activate(learned.still)
    out = []
    for row in rows:
        behind = learned.clip.frame(row).protocol_background.astype(np.float32) / 255
        out.append(backend.rasterise(splats, learned.clip.camera(row), behind)[..., :3])
    return out


def quality(
    learned: Learned, rows: Sequence[int], pictures: Sequence[NDArray[np.float32]], mouth: bool
) -> float:
    """Mean PSNR, dB; mouth: of the lips' box alone."""
    figures = []
    for row, picture in zip(rows, pictures, strict=True):
        y0, y1, x0, x1 = learned.clip.frame(row).lips or (0, 0, 0, 0)
        part = (slice(y0, y1), slice(x0, x1)) if mouth else (slice(None), slice(None))
        figures.append(psnr(picture[part], true(learned, row)[part]))
    return float(np.mean(figures))


def test_frames_are_drawn_better_than_by_one_still_face(learned: Learned) -> None:
    rows = evenly_spaced(learned.clip.train_rows, 20)
    moving, still = rendered(learned, rows), drawn_still(learned, rows)
    assert quality(learned, rows, still, False) > 27
    for mouth in (False, True):
        gained = quality(learned, rows, moving, mouth) - quality(learned, rows, still, mouth)
        assert gained > 2


def carried(learned: Learned, rows: Sequence[int]) -> NDArray[np.float64]:
    """(R, 68, 2): where the network carries the landmarks' mean places, in pixels."""
    clip, avatar = learned.clip, learned.avatar
    train_rows = list(clip.train_rows)
    middle = (clip.width / 2, clip.height / 2)
    points = triangulate(clip.landmarks[train_rows], clip.viewmats[train_rows], clip.focal, middle)
    assert points is not None and avatar.network is not None
    g = avatar.gaussians
    n = len(points)
    # The points come last: the agents are the first Gaussians.
    joined = Gaussians(
        np.concatenate([g.means, points.astype(np.float32)]),
        *(np.concatenate([value, value[:n]]) for value in list(vars(g).values())[1:]),
    )
    deformer = folded_network.prepare(avatar.network, joined)
    out = []
    for row in rows:
        means = splats_at(deformer, learned.track, moment_of(clip, row)).means[-n:]
        view = clip.viewmats[row]
        camera = means @ view[:3, :3].T + view[:3, 3]
        out.append(camera[:, :2] / camera[:, 2:] * clip.focal + middle)
    return np.stack(out)


# The held-out sound is a fifth of three seconds; some of it resembles the rest.
@pytest.mark.parametrize(("split", "least"), [("train_rows", 0.9), ("val_rows", 0.3)])
def test_the_lip_gap_follows_the_true_one(learned: Learned, split: str, least: float) -> None:
    rows = getattr(learned.clip, split)
    up = np.tile((0.0, -1.0), (len(rows), 1))  # the head hardly tilts
    gap = lip_gap(carried(learned, rows), up)
    expected = lip_gap(learned.clip.landmarks[list(rows)], up)
    assert np.corrcoef(gap, expected)[0, 1] > least


def test_the_file_renders_what_the_trainer_saw(learned: Learned) -> None:
    rows = evenly_spaced(learned.clip.val_rows, trainer.FINAL_FRAMES)
    pictures = np.split(learned.preview.strip[:SIDE].astype(np.float32) / 255, len(rows), axis=1)
    worst = min(psnr(p, s) for p, s in zip(rendered(learned, rows), pictures, strict=True))
    assert worst > 45
    figure = np.mean(
        [psnr(p, true(learned, r)) for p, r in zip(rendered(learned, rows), rows, strict=True)]
    )
    assert learned.events[-1]["psnr"] == pytest.approx(figure, abs=0.05)
    assert learned.avatar.provenance["psnr"] == pytest.approx(figure, abs=0.05)


def test_the_frozen_gaussians_were_measured(learned: Learned) -> None:
    frozen = learned.avatar.frozen_gaussians
    assert frozen is not None and frozen.measured.worst >= LEAST
    assert frozen.measured.sound == learned.clip.folder.name


def deformers(avatar: Avatar) -> dict[str, Deformer]:
    assert avatar.network is not None
    return {
        "numpy": folded_network.prepare(avatar.network, avatar.gaussians),
        "numba": network.prepare(avatar.network, avatar.gaussians),
        "torch": prepare_plain(avatar.network, avatar.gaussians),
    }


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, kan=False), replace(SMALL, esaa=False), replace(SMALL, ppe=False),
        replace(SMALL, hash=False), replace(SMALL, static_init=False), OFFICIAL,
        replace(OFFICIAL, static_init=False),
        replace(SMALL, scale=0.5, batch=2), replace(SMALL, precision="bfloat16"),
    ],
)  # fmt: skip
def test_every_arrangement_gives_a_file_that_all_paths_move_alike(
    folder: Path, tmp_path: Path, config: TrainConfig
) -> None:
    job = job_of(folder, tmp_path / "job", config)
    events = train(job)
    stages = events[0]["stages"]
    assert ("static" in stages) == config.static_init
    assert ("lips" in stages) == (config.arrangement == "paper")
    avatar = load_avatar(job.out)
    assert avatar.network is not None and avatar.features is not None
    names = set(avatar.network.arrays)
    assert any("taylor" in name for name in names) == config.kan
    assert any("w_q" in name for name in names) != config.esaa
    assert ("tri_plane.hash.table" in names) == (config.hash and config.arrangement == "paper")
    if "ppe.table" in names:
        assert bool(avatar.network.arrays["ppe.table"].any()) == config.ppe
    windows = random_windows(audio_dim=avatar.features.dim, steps=config.window)
    moved = {
        name: deformer.deform_raw(deformer.encode_audio(windows), 0.4, random_pose(1), 1.0)
        for name, deformer in deformers(avatar).items()
    }
    for name, value in vars(moved["numpy"]).items():
        for other in ("numba", "torch"):
            assert np.abs(getattr(moved[other], name) - value).max() < 1e-4, (other, name)
    assert not np.array_equal(moved["numpy"].means, avatar.gaussians.means)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    folder: Path, tmp_path: Path
) -> None:
    config = replace(SMALL, static_steps=2, lips_steps=2, motion_steps=2)
    jobs = [job_of(folder, tmp_path / name, config) for name in ("one", "two")]
    jobs.append(job_of(folder, tmp_path / "three", replace(config, seed=1)))
    for job in jobs:
        train(job)
    states = [state_of(job)[0] for job in jobs]
    assert all(np.array_equal(states[1][name], value) for name, value in states[0].items())
    assert not np.array_equal(states[2]["head/canonical.means"], states[0]["head/canonical.means"])
