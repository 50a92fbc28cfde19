"""Features of some rows of a long sound: the bits of the whole, without its work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio import phonetic, samples
from core.audio.extractor import BOTH, COMPUTED, computed_spec
from core.audio.features import track_pieces
from core.audio.files import decoded
from core.audio.logmel import LogMel
from core.audio.samples import ReadSamples, samples_of
from core.bake.backends import backend_named
from core.bake.loop import bake
from core.bake.plan import training_tasks
from core.errors import ArgumentError, AudioError
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.feature_spec import FeatureSpec
from core.records.gaussians import Gaussians
from core.records.job import BakeJob
from core.records.shutter import Shutter
from core.records.voice import RATE, SoundPart, Waveform
from core.system.steps import finished
from tests.support.avatar_inputs import small_avatar
from tests.support.sound_files import encoded, wav
from tests.support.voices import CAMERA

SECONDS = 40
EMPTY = Gaussians(
    *(np.zeros(shape, np.float32) for shape in ((0, 3), (0, 3), (0, 4), 0, (0, 16, 3)))
)


def buzz(seconds: float, rate: int) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(1).normal(size=len(t))
    return (0.3 * np.sin(900 * t + 5 * np.sin(3 * t)) + 0.05 * noise) * np.sin(2 * t) ** 2


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "long.wav"
    stereo = np.stack([buzz(SECONDS, 44100), buzz(SECONDS, 44100)[::-1]], 1)
    path.write_bytes(wav(encoded(stereo.ravel(), 1, 16), channels=2, rate=44100))
    return path


def track(spec: FeatureSpec, voice: Any, rows: range | None = None) -> AudioTrack:
    return finished(track_pieces(Avatar("head", EMPTY, CAMERA, features=spec), voice, rows))


def same_rows(part: AudioTrack, whole: AudioTrack, rows: range) -> None:
    assert len(part) == len(whole)
    for row in rows:
        assert np.array_equal(part.around(row), whole.around(row)), row


SPECS = {
    **{kind: computed_spec(kind) for kind in COMPUTED},
    "official": FeatureSpec("log-mel", 29, parameters=asdict(LogMel())),
    "hundred": FeatureSpec(
        "log-mel", 29, rate=100, stride=4, parameters=asdict(LogMel(hop_length=160))
    ),
    "clip": replace(computed_spec("log-mel"), normalisation="clip"),
}


@pytest.fixture(scope="module")
def wholes(recording: Path) -> dict[str, AudioTrack]:
    return {name: track(spec, recording) for name, spec in SPECS.items()}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(
    "rows",
    [range(0, 1), range(-30, -20), range(-3, 4), range(195, 230), range(990, 1010),
     range(1100, 1200), range(0, 1000)],
    ids=str,
)  # fmt: skip
def test_a_part_has_the_bits_of_the_whole(
    name: str, rows: range, recording: Path, wholes: dict[str, AudioTrack]
) -> None:
    same_rows(track(SPECS[name], recording, rows), wholes[name], rows)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 30 * RATE),
    st.integers(-40, 800),
    st.integers(1, 60),
    st.sampled_from(["none", "fixed"]),
)
def test_any_part_of_any_sound(length: int, first: int, count: int, normalisation: str) -> None:
    voice = Waveform(buzz(length / RATE, RATE)[:length].astype(np.float32))
    spec = replace(
        computed_spec("log-mel"), normalisation=normalisation, mean=(0.5,) * 29, std=(2.0,) * 29
    )
    rows = range(first, first + count)
    same_rows(track(spec, voice, rows), track(spec, voice), rows)


def test_what_is_far_outside_is_silence_also_in_a_part(recording: Path) -> None:
    part = track(SPECS[BOTH], recording, range(500, 510))
    silent = part.around(-part.margin - 8)
    assert part.outside is not None and np.array_equal(silent[0].T, part.outside)


def test_other_rows_of_a_part_are_an_error(recording: Path) -> None:
    part = track(SPECS["log-mel"], recording, range(500, 510))
    for row in (0, 480, 530, 999):
        with pytest.raises(ArgumentError, match=f"row {row} is not in the computed part"):
            part.around(row)


def test_a_part_costs_a_part(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three windows of the phonetic network at most, and two blocks of the file."""
    windows, blocks = [], []
    real, block = phonetic.hidden_layers, samples.resampled_block
    monkeypatch.setattr(phonetic, "hidden_layers", lambda *given: windows.append(1) or real(*given))
    monkeypatch.setattr(
        samples, "resampled_block", lambda *given: blocks.append(1) or block(*given)
    )
    rows = range(600, 850)
    made = track(SPECS["phonetic"], recording, rows)
    assert len(windows) == 3 and len(blocks) <= 3
    assert made.windows.shape[0] == len(rows) + 8


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_samples_that_are_read_are_those_that_are_decoded(rate: int, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(encoded(buzz(3, rate), 1, 16), rate=rate))
    parts = [path, SoundPart(path, 0.51, 1.0), SoundPart(path, -0.7, 2.5), SoundPart(path, 1, 9, 9)]
    for voice in parts:
        read, whole = samples_of(voice)[0], decoded(voice).samples
        assert isinstance(read, ReadSamples) and len(read) == len(whole)
        for at in (slice(0, 9000), slice(7000, 7003), slice(len(whole) - 5, None), slice(9, 3)):
            assert np.array_equal(read[at], whole[at])
    with pytest.raises(AudioError, match="plays nothing"):
        samples_of(SoundPart(path, 99, 1))


def test_blocks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.audio.resample.BLOCK", 5000)
    for rate in (16000, 44100):
        path = tmp_path / f"{rate}.wav"
        path.write_bytes(wav(encoded(buzz(2, rate), 1, 16), rate=rate))
        read, whole = samples_of(path)[0], decoded(path).samples
        assert np.array_equal(read[0 : len(read)], whole)
        assert np.array_equal(read[777:20001], whole[777:20001])


def test_a_bake_asks_for_its_rows(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[range] = []

    def stop(avatar: Avatar, voice: Any, wanted: range) -> Iterator[float]:
        asked.append(wanted)
        raise AudioError("enough")

    avatar = replace(small_avatar(), features=SPECS["log-mel"])
    monkeypatch.setattr("core.bake.features.track_in_background", stop)
    tasks = training_tasks(avatar, [40, 7], fps=30)  # 32.5 and 5 rows after the first
    job = BakeJob(Path("a.egs"), avatar.content_hash, recording, tasks, recording.parent)
    with pytest.raises(AudioError, match="enough"):
        list(bake(job, backend_named("numpy"), avatar))
    blurred = training_tasks(avatar, [40, 7], fps=30, shutter=Shutter(2, 12.0))
    with pytest.raises(AudioError, match="enough"):
        list(bake(replace(job, frames=blurred), backend_named("numpy"), avatar))
    # The instants lie three frames, 2.5 rows, to either side.
    assert asked == [range(5, 34), range(2, 37)]
