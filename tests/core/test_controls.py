"""Controls of a moment: at their defaults no bit changes; each one does what its name says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from core.avatar.file import save_avatar
from core.bake.backends import Backend, backend_named
from core.bake.deformers import StillDeformer
from core.bake.plan import training_tasks
from core.cli import main
from core.errors import ArgumentError
from core.network.deformer import Deformer, adjusted, silent_code, splats_at
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.camera import Camera
from core.records.gaussians import Splats
from core.records.moment import Moment
from core.render.sh import colours
from core.worker.exchange import (
    moment_fields,
    moment_from,
    read_job,
    voice_fields,
    write_job,
    write_track,
)
from tests.support.synthetic import random_pose
from tests.support.talking import job_for, small_avatar, sound

FIELDS = ("means", "quats", "scales", "opacities", "sh")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return small_avatar(tmp_path_factory.mktemp("avatar") / "small.egs")


@pytest.fixture(scope="module")
def numpy_backend() -> Backend:
    return backend_named("numpy")


@pytest.fixture(scope="module")
def deformer(small: Avatar, numpy_backend: Backend) -> Deformer:
    return numpy_backend.prepare(small)


def heard() -> AudioTrack:
    """Loud windows with a silence of its own around them."""
    quiet = np.full((16, 29), -0.5, np.float32)
    return AudioTrack(sound(rows=12).windows, quiet)


def at(**controls: float) -> Moment:
    return replace(Moment(5 / 25, 0.3, random_pose()), **controls)


def same(a: Splats, b: Splats) -> bool:
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in FIELDS)


def test_defaults_change_no_bit(deformer: Deformer) -> None:
    track, moment = heard(), at()
    code = deformer.encode_audio(track.around(5))
    plain = deformer.deform(code, moment.eye, moment.pose, 1.0)
    assert same(splats_at(deformer, track, moment), plain)
    ones = at(mouth_gain=1.0, opacity=1.0, colour_gain=1.0)
    assert same(splats_at(deformer, track, ones), plain)


def test_no_mouth_gain_is_silence(deformer: Deformer) -> None:
    track = heard()
    silence = AudioTrack(np.repeat(track.outside[None], 12, 0), track.outside)
    quiet = splats_at(deformer, silence, at())
    assert same(splats_at(deformer, track, at(mouth_gain=0.0)), quiet)
    assert not same(splats_at(deformer, track, at()), quiet)


def test_mouth_gain_moves_along_the_code(small: Avatar) -> None:
    """What enters the network is quiet + gain * (heard - quiet)."""

    class Listener(StillDeformer):
        heard = np.zeros(0, np.float32)

        def encode_audio(self, windows: np.ndarray) -> np.ndarray:
            return windows[:, 0, 0].repeat(4)

        def deform(self, code: np.ndarray, eye: float, pose: np.ndarray, strength: float) -> Splats:
            self.heard = code
            return super().deform(code, eye, pose, strength)

    listener, track = Listener(small), heard()
    plain = track.around(5)[:, 0, 0].repeat(4)
    for gain in (0.0, 0.5, 1.5):
        splats_at(listener, track, at(mouth_gain=gain))
        assert listener.heard == pytest.approx(-0.5 + gain * (plain + 0.5), abs=1e-6)


def test_the_code_of_silence_is_computed_once_for_each_track(small: Avatar) -> None:
    calls = []

    class Counting(StillDeformer):
        def encode_audio(self, windows: np.ndarray) -> np.ndarray:
            calls.append(1)
            return super().encode_audio(windows)

    counting = Counting(small)
    track, other = heard(), heard()
    for given in (track, track, other, track):
        silent_code(counting, given)
    assert len(calls) == 2
    silent_code(Counting(small), track)
    assert len(calls) == 3


def test_colour_gain_scales_the_colour_within_its_limits(deformer: Deformer) -> None:
    plain = splats_at(deformer, heard(), at())
    centre = np.array([0.0, 0.1, 7.5])
    for degree in (0, 3):
        for gain in (0.0, 0.5, 2.0):
            changed = adjusted(plain, colour_gain=gain)
            assert colours(changed.means.astype(float), changed.sh, centre, degree) == (
                pytest.approx(
                    gain * colours(plain.means.astype(float), plain.sh, centre, degree), abs=1e-5
                )
            )
    assert not np.shares_memory(changed.sh, plain.sh)


@pytest.mark.parametrize("name", ["numpy", "numba", "reference"])
def test_pictures_follow_opacity_and_colour_gain(name: str, deformer: Deformer) -> None:
    if name == "numba":
        pytest.importorskip("numba", reason="numba is not installed")
    backend = backend_named(name)
    viewmat = np.diag([1.0, -1.0, -1.0, 1.0])
    viewmat[2, 3] = 7.5
    camera = Camera(viewmat, 150, 150, 24, 24, 48, 48)
    plain = splats_at(deformer, heard(), at())

    def shot(**controls: float) -> np.ndarray:
        return backend.rasterise(adjusted(plain, **controls), camera, None, 3)

    before = shot()
    assert before[..., 3].max() > 0.5
    assert not shot(opacity=0.0).any()
    half = shot(opacity=0.5)[..., 3]
    assert half.sum() < 0.9 * before[..., 3].sum() and (half <= before[..., 3] + 1e-6).all()
    dark = shot(colour_gain=0.5)
    assert dark[..., :3] == pytest.approx(0.5 * before[..., :3], abs=2e-3)
    assert np.array_equal(dark[..., 3], before[..., 3])


def test_opacity_stays_an_opacity() -> None:
    splats = Splats(
        *(np.ones((2, k), np.float32) for k in (3, 4, 3)),
        np.float32([0.2, 0.8]),
        np.ones((2, 16, 3), np.float32),
    )
    assert adjusted(splats, opacity=2.0).opacities == pytest.approx([0.4, 1.0])


CONTROLS = {"eye": 0.75, "strength": 0.5, "mouth_gain": 1.25, "opacity": 0.5, "colour_gain": 2.0}


def test_controls_travel_to_the_worker(small: Avatar, tmp_path: Path) -> None:
    moment = at(**CONTROLS)
    back = moment_from(moment_fields(moment))
    job = job_for(tmp_path / "small.egs", small, tmp_path, 1)
    task = replace(job.frames[0], moment=moment)
    fields = write_job(
        tmp_path, "frames.npy", replace(job, frames=(task,)), voice_fields(job.voice, "track.npy")
    )
    write_track(tmp_path / "track.npy", job.track)
    table = read_job(tmp_path, fields).frames[0]
    assert np.array_equal(table.camera.viewmat, task.camera.viewmat)
    for got in (back, table.moment):
        assert {name: getattr(got, name) for name in CONTROLS} == CONTROLS
        assert (got.seconds, got.pose.tobytes()) == (moment.seconds, moment.pose.tobytes())


def test_the_command_line_hands_them_to_every_frame(small: Avatar) -> None:
    tasks = training_tasks(small, (1, 2), mouth_gain=1.5, opacity=0.5, colour_gain=2.0)
    for task in tasks:
        m = task.moment
        assert (m.mouth_gain, m.opacity, m.colour_gain) == (1.5, 0.5, 2.0)


def test_options_of_the_command_line(small: Avatar, tmp_path: Path) -> None:
    path = tmp_path / "small.egs"
    save_avatar(small, path)
    np.save(tmp_path / "sound.npy", sound().windows)

    def rendered(*options: str) -> np.ndarray:
        out = tmp_path / "".join(options)
        fixed = ["--audio", str(tmp_path / "sound.npy"), "--frames", "5", "--transparent"]
        fixed += ["--engine", "builtin", "--backend", "numpy", "--out", str(out)]
        assert main(["render", str(path), *fixed, *options]) == 0
        return np.asarray(PIL.Image.open(out / "frame_0005.png")).astype(int)

    plain = rendered()
    assert plain[..., 3].any()
    assert not rendered("--opacity", "0")[..., 3].any()
    dark = rendered("--colour-gain", "0.5")
    assert np.array_equal(dark[..., 3], plain[..., 3])
    assert dark[..., :3].sum() == pytest.approx(plain[..., :3].sum() / 2, rel=0.05)
    assert (rendered("--mouth-gain", "0") != plain).any()
    with pytest.raises(ArgumentError, match="mouth_gain nan"):
        training_tasks(small, (1,), mouth_gain=float("nan"))
