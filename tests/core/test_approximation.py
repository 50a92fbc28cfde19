"""Approximate: frozen Gaussians rest, the others are exact, and pictures keep their bound."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio.features import track_for
from core.avatar.file import load_avatar, save_avatar
from core.bake.backends import backend_named
from core.bake.freezing import EYES, LEAST, freeze, measured_tasks
from core.bake.plan import training_tasks
from core.cli import main
from core.errors import ArgumentError, AvatarFileError
from core.formats.safetensors import read_tensors, write_tensors
from core.metrics.pictures import psnr
from core.network.architecture import architecture_of
from core.network.deformer import splats_at
from core.network.frozen import ApproximableDeformer
from core.network.numpy import folded_network
from core.records.avatar import Avatar, FrozenGaussians, Measured
from core.records.camera import Camera
from core.records.gaussians import Gaussians, activate, flat_of, gaussians_of
from core.records.weights import EGSTALKER, GAUSSIANTALKER, PAPER, NetworkWeights
from core.render.background import background_of
from core.system.threads import in_order
from core.worker import exchange
from tests.core.test_network_paper import paper_avatar
from tests.support.events import result_of
from tests.support.synthetic import random_avatar, random_pose
from tests.support.talking import job_for, small_avatar, sound
from tests.support.waiting import LIMIT

ASSETS = Path(__file__).parents[2] / "egstalker_blender" / "assets"
FIELDS = ("means", "quats", "scales", "opacities", "sh")
AGENTS = 40
MEASURED = Measured(60.0, 65.0, 3, "a test")


def network_of(kind: str) -> tuple[NetworkWeights, Gaussians]:
    if kind == PAPER:
        weights, gaussians = paper_avatar()
        return replace(weights, agents=AGENTS), gaussians
    return random_avatar(300, kind, agents=AGENTS)


def holding(weights: NetworkWeights, gaussians: Gaussians) -> Avatar:
    """Every third Gaussian that is no agent is held, its offsets random."""
    rng = np.random.default_rng(1)
    rows = np.arange(AGENTS, len(gaussians), 3)
    offsets = {
        name: (0.1 * rng.normal(size=(len(rows), width))).astype(np.float16).astype(np.float32)
        for name, width in architecture_of(weights).widths.items()
    }
    camera = Camera(np.eye(4), 150, 150, 24, 24, 48, 48)
    return Avatar(
        "x", gaussians, camera, weights, frozen_gaussians=FrozenGaussians(rows, offsets, MEASURED)
    )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("kind", [EGSTALKER, GAUSSIANTALKER, PAPER])
def test_what_is_held_rests_and_the_others_are_exact(kind: str, backend: str) -> None:
    if backend == "numba":
        pytest.importorskip("numba", reason="needs numba")
    avatar = holding(*network_of(kind))
    assert avatar.network is not None and avatar.frozen_gaussians is not None
    deformer, track = backend_named(backend).prepare(avatar), sound()
    for strength in (1.0, 0.4):
        moment = replace(job_moment(), strength=strength)
        exact = splats_at(deformer, track, moment)
        rough = splats_at(deformer, track, replace(moment, approximate=True))
        frozen, moving = (
            avatar.frozen_gaussians.rows,
            np.setdiff1d(np.arange(300), avatar.frozen_gaussians.rows),
        )
        raw = flat_of(avatar.gaussians)
        for name, offset in avatar.frozen_gaussians.offsets.items():
            raw[name] = raw[name].copy()
            raw[name][frozen, : offset.shape[1]] += np.float32(strength) * offset
        rest = activate(gaussians_of(raw))
        for name in FIELDS:
            there, here = getattr(rough, name), getattr(exact, name)
            np.testing.assert_allclose(there[moving], here[moving], rtol=0, atol=2e-6)
            np.testing.assert_array_equal(there[frozen], getattr(rest, name)[frozen])
        assert np.abs(rough.means[frozen] - exact.means[frozen]).max() > 0.01


def job_moment() -> object:
    avatar = holding(*random_avatar(300, agents=AGENTS))
    return replace(training_tasks(avatar, [5])[0].moment, eye=0.3, pose=random_pose())


def test_frames_side_by_side_make_it_once() -> None:
    made, arrived = [], threading.Barrier(3, timeout=LIMIT)

    def counted(weights: NetworkWeights, gaussians: Gaussians) -> object:
        made.append(len(gaussians))
        return folded_network.prepare(weights, gaussians)

    avatar = holding(*random_avatar(300, agents=AGENTS))
    assert avatar.network is not None and avatar.frozen_gaussians is not None
    both = ApproximableDeformer(avatar.network, avatar.gaussians, avatar.frozen_gaussians, counted)
    assert made == [300]  # what nobody asked for is not made
    found = list(in_order(lambda _: (arrived.wait(), both.approximate)[1], range(6), 3))
    assert made == [300, 300 - len(avatar.frozen_gaussians)] and len(set(map(id, found))) == 1


def test_exact_unless_it_is_asked_for() -> None:
    """The same bits as an avatar that was never measured, which is exact whatever is asked."""
    avatar = holding(*random_avatar(300, agents=AGENTS))
    backend, track, moment = backend_named("numpy"), sound(), job_moment()
    plain = backend.prepare(replace(avatar, frozen_gaussians=None))
    exact = splats_at(backend.prepare(avatar), track, moment)
    for other in (moment, replace(moment, approximate=True)):
        found = splats_at(plain, track, other)
        assert all(np.array_equal(getattr(found, n), getattr(exact, n)) for n in FIELDS)


def test_pictures_are_as_near_as_was_measured(tmp_path: Path) -> None:
    avatar = small_avatar(tmp_path / "small.egs")
    backend, track, reported = backend_named("numpy"), sound(), []
    frozen = freeze(
        avatar,
        track,
        "made",
        backend,
        least=18.0,
        frames=8,
        on_progress=lambda *n: reported.append(n),
    )
    assert frozen is not None and avatar.network is not None
    assert reported == [(n, 8) for n in range(1, 9)]
    assert frozen.rows.min() >= avatar.network.agents and len(frozen) >= 6
    assert frozen.measured.worst >= 18 and frozen.measured.frames == 8
    deformer = backend.prepare(replace(avatar, frozen_gaussians=frozen, content_hash=""))
    found = []
    for task in measured_tasks(avatar, len(track), 8):
        assert avatar.background is not None
        background = background_of(avatar.background, task.camera)
        exact, rough = (
            backend.rasterise(splats_at(deformer, track, moment), task.camera, background)
            for moment in (task.moment, replace(task.moment, approximate=True))
        )
        found.append(psnr(rough[..., :3], exact[..., :3]))
    assert min(found) == pytest.approx(frozen.measured.worst, abs=0.01)
    assert np.mean(found) == pytest.approx(frozen.measured.mean, abs=0.01)
    assert freeze(avatar, track, "made", backend, least=90.0, frames=8) is None


def test_moments_are_spread_over_the_sound_and_the_lids(tmp_path: Path) -> None:
    avatar = small_avatar(tmp_path / "small.egs")
    tasks = measured_tasks(avatar, 1000, 25)
    seconds = [task.moment.seconds for task in tasks]
    assert len(tasks) == 25 and (seconds[0], seconds[-1]) == (0, 999 / 25)
    assert [task.moment.eye for task in tasks[1:12:4]] == list(EYES)
    assert len(measured_tasks(avatar, 3, 25)) == 3


def test_what_cannot_be_measured(tmp_path: Path) -> None:
    avatar, backend = small_avatar(tmp_path / "small.egs"), backend_named("numpy")
    with pytest.raises(ArgumentError, match="is a still"):
        freeze(replace(avatar, network=None), sound(), "", backend)
    with pytest.raises(ArgumentError, match="no length"):
        freeze(avatar, sound(rows=0), "", backend)


def test_the_file_keeps_what_is_held(tmp_path: Path) -> None:
    for kind in (EGSTALKER, PAPER):
        weights, gaussians = network_of(kind)
        made = small_avatar(tmp_path / "small.egs")
        avatar = replace(made, network=weights, gaussians=gaussians)
        frozen = holding(weights, gaussians).frozen_gaussians
        save_avatar(replace(avatar, frozen_gaussians=frozen), tmp_path / "held.egs")
        found = load_avatar(tmp_path / "held.egs").frozen_gaussians
        assert found is not None and frozen is not None and found.measured == MEASURED
        np.testing.assert_array_equal(found.rows, frozen.rows)
        assert found.offsets.keys() == frozen.offsets.keys()
        for name, offset in frozen.offsets.items():
            np.testing.assert_array_equal(found.offsets[name], offset)


ROWS = np.arange(AGENTS, 120, 2)
WRONG = {
    "no rows": ({"held.rows": None}, "'held.rows' is missing"),
    "rows of floats": ({"held.rows": ROWS.astype(np.float32)}, "not an int64 list"),
    "rows in a table": ({"held.rows": ROWS[:, None]}, "not an int64 list"),
    "no row": ({"held.rows": ROWS[:0]}, "not an int64 list"),
    "an agent": ({"held.rows": ROWS - 1}, "not an ascending list within 40..119"),
    "beyond": ({"held.rows": ROWS + 2}, "not an ascending list within 40..119"),
    "twice": ({"held.rows": np.sort(np.r_[ROWS[1:], ROWS[1]])}, "not an ascending list"),
    "no offsets": ({"held.quats": None}, "'held.quats' is missing"),
    "too few": ({"held.means": np.zeros((3, 3), np.float16)}, "not float 40 x 3"),
    "endless": ({"held.opacities": np.full((40, 1), np.inf, np.float16)}, "40 values that are not"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "held.egs"
    avatar = small_avatar(path)
    assert avatar.network is not None
    offsets = {
        n: np.zeros((40, width), np.float32)
        for n, width in architecture_of(avatar.network).widths.items()
    }
    save_avatar(replace(avatar, frozen_gaussians=FrozenGaussians(ROWS, offsets, MEASURED)), path)
    assert load_avatar(path).frozen_gaussians is not None
    changes, message = WRONG[name]
    tensors, metadata, _ = read_tensors(path)
    for key, value in changes.items():
        tensors.pop(key)
        tensors |= {} if value is None else {key: value}
    write_tensors(path, tensors, metadata)
    with pytest.raises(AvatarFileError, match=message):
        load_avatar(path)


def test_a_measurement_that_is_no_measurement(tmp_path: Path) -> None:
    path = tmp_path / "held.egs"
    avatar = small_avatar(path)
    for key, value in (("worst", "best"), ("frames", 0), ("sound", None), ("mean", True)):
        tensors, metadata, _ = read_tensors(path)
        document = json.loads(metadata["avatar"])
        document["held"] = {**vars(MEASURED), key: value}
        metadata["avatar"] = json.dumps(document)
        write_tensors(tmp_path / "bad.egs", tensors, metadata)
        with pytest.raises(AvatarFileError, match=key):
            load_avatar(tmp_path / "bad.egs")
    assert avatar.frozen_gaussians is None


def test_a_worker_hears_of_it(tmp_path: Path) -> None:
    moment = replace(job_moment(), approximate=True)
    assert exchange.moment_from(exchange.moment_fields(moment)).approximate is True
    avatar = small_avatar(tmp_path / "small.egs")
    job = job_for(tmp_path / "small.egs", avatar, tmp_path, 2)
    second = replace(job.frames[1], moment=replace(job.frames[1].moment, approximate=True))
    exchange.write_track(tmp_path / "track.npy", job.track)
    fields = exchange.write_job(
        tmp_path,
        "frames.npy",
        replace(job, frames=(job.frames[0], second)),
        exchange.voice_fields(job.voice, "track.npy"),
    )
    assert [task.moment.approximate for task in exchange.read_job(tmp_path, fields).frames] == [
        False,
        True,
    ]


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured, told by `info`, rendered; without a measurement the option is an error."""
    egs, out, features = tmp_path / "a.egs", tmp_path / "b.egs", tmp_path / "a.npy"
    avatar = small_avatar(egs)
    np.save(features, np.random.default_rng(0).normal(size=(12, 16, 29)).astype(np.float32))
    render = ["--audio", str(features), "--backend", "numpy", "--engine", "builtin"]
    render += ["--frames", "3", "--approximate", "--out"]
    assert main(["render", str(egs), *render, str(tmp_path / "no")]) == 2
    assert "python -m core approximate" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
    measure = ["--audio", str(features), "--frames", "4", "--backend", "numpy", "--json"]
    assert main(["approximate", str(egs), str(out), *measure, "--least", "20"]) == 0
    result = result_of(capsys.readouterr().out)
    assert result["held"]["frames"] == 4 and result["held"]["sound"] == "a.npy"
    assert result["sha256"] == load_avatar(out).content_hash != avatar.content_hash
    assert main(["info", str(out)]) == 0
    assert f"{result['held']['rows']} Gaussians with --approximate" in capsys.readouterr().out
    assert main(["render", str(out), *render, str(tmp_path / "rough")]) == 0
    exact = [word for word in render if word != "--approximate"]
    assert main(["render", str(out), *exact, str(tmp_path / "exact")]) == 0
    rough, plain = ((tmp_path / n / "frame_0003.png").read_bytes() for n in ("rough", "exact"))
    assert rough != plain
    assert main(["approximate", str(egs), str(out), *measure, "--least", "9"]) == 2
    assert main(["approximate", str(egs), str(tmp_path / "b.ply"), *measure]) == 2


def test_the_bundled_avatar_keeps_50_db_on_a_voice_that_was_not_measured() -> None:
    """And saves something: half of its Gaussians are held."""
    pytest.importorskip("numba", reason="needs numba")
    avatar, backend = load_avatar(ASSETS / "demo.egs"), backend_named("numba")
    frozen, images = avatar.frozen_gaussians, avatar.background
    assert frozen is not None and images is not None and frozen.measured.worst >= LEAST
    assert frozen.measured.sound != "demo.wav" and len(frozen) >= len(avatar.gaussians) // 2
    deformer, track = backend.prepare(avatar), track_for(avatar, ASSETS / "demo.wav")
    for i, task in enumerate(training_tasks(avatar, range(1, len(track), 14))):
        moment = replace(task.moment, eye=1.0) if i % 5 == 4 else task.moment
        background = background_of(images, task.camera)
        exact, rough = (
            backend.rasterise(splats_at(deformer, track, m), task.camera, background)[..., :3]
            for m in (moment, replace(moment, approximate=True))
        )
        assert 50 <= psnr(rough, exact) < 100
