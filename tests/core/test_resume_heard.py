"""A changed voice makes the frames stale that can hear the change, and no others."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from core.audio.digest import BLOCK_SECONDS, UNKNOWN, blocks_heard, heard, voice_digest
from core.audio.extractor import COMPUTED, computed_spec
from core.audio.features import track_pieces
from core.audio.logmel import LogMel
from core.avatar.file import load_avatar, save_avatar
from core.bake.plan import training_tasks
from core.bake.resume import unfinished
from core.engine.builtin import BuiltinEngine
from core.records.audio_track import AudioTrack
from core.records.avatar import Avatar
from core.records.feature_spec import FeatureSpec
from core.records.gaussians import Gaussians
from core.records.job import BakeJob, Existing
from core.records.voice import RATE, PlacedSound, SoundMix, SoundPart, Voice, Waveform
from core.system.steps import finished
from tests.support.sound_files import encoded, wav
from tests.support.talking import small_avatar
from tests.support.voices import CAMERA

SECONDS, ROWS = 60, 60 * 25
EMPTY = Gaussians(
    *(np.zeros(shape, np.float32) for shape in ((0, 3), (0, 3), (0, 4), 0, (0, 16, 3)))
)
SPEC = computed_spec("log-mel")


def noise(seconds: float = SECONDS) -> np.ndarray:
    return np.float32(0.1 * np.random.default_rng(1).standard_normal(round(seconds * RATE)))


def edited(samples: np.ndarray, second: float) -> np.ndarray:
    """A tenth of a second of another sound."""
    other = samples.copy()
    first = round(second * RATE)
    other[first : first + RATE // 10] += 0.5
    return other


def track_of(kind: str, voice: Voice) -> AudioTrack:
    avatar = Avatar("head", EMPTY, CAMERA, features=computed_spec(kind))
    return finished(track_pieces(avatar, voice))


@cache
def track_before(kind: str) -> AudioTrack:
    return track_of(kind, Waveform(noise()))


@pytest.mark.parametrize("kind", COMPUTED)
@pytest.mark.parametrize("second", [0.0, 31.95, 59.8])
def test_what_a_frame_hears_is_in_its_key(kind: str, second: float) -> None:
    """Of each row whose features an edit changes, to the last bit, the key changes."""
    spec, voices = computed_spec(kind), [Waveform(noise()), Waveform(edited(noise(), second))]
    tracks = [track_before(kind), track_of(kind, voices[1])]
    digests = [voice_digest(voice, spec) for voice in voices]
    before, after = (
        [heard(digest, [row / 25]) for row in range(-10, ROWS + 10)] for digest in digests
    )
    stale = [row for row, (a, b) in enumerate(zip(before, after, strict=True), start=-10) if a != b]
    changed = [
        row for row in range(ROWS) if not np.array_equal(*(track.around(row) for track in tracks))
    ]
    assert changed and set(changed) <= set(stale)
    assert len(stale) < 28 * 25  # of the minute, and of every longer sound


def test_the_end_of_a_sound_is_heard() -> None:
    short, long = (voice_digest(Waveform(noise()[: RATE * n]), SPEC) for n in (40, 60))
    assert heard(short, [5]) == heard(long, [5])
    assert heard(short, [39]) != heard(long, [39])
    assert heard(short, [100]) == heard(short, [100.5])  # silence


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(encoded(noise(), 1, 16), rate=RATE))
    return path


def test_a_chunk_reads_its_part_of_the_voice(recording: Path) -> None:
    part = SoundPart(recording, 3.0, 50.0)
    quiet = Waveform(np.zeros(RATE, np.float32))
    voices: list[Voice] = [recording, part, SoundMix((PlacedSound(1.0, part),), 5.0), quiet]
    for voice in voices:
        whole, chunk = voice_digest(voice, SPEC), voice_digest(voice, SPEC, [20.0, 21.0])
        assert heard(chunk, [20.5]) == heard(whole, [20.5])
    assert voice_digest(recording, SPEC, [20.0]).count(UNKNOWN) > 10
    assert len({heard(voice_digest(voice, SPEC), [20.0]) for voice in voices}) == 4
    read = range(min(blocks_heard(20.0)), max(blocks_heard(21.0)) + 1)
    assert len(read) * BLOCK_SECONDS < 28


def test_a_sound_that_counts_as_a_whole_has_one_digest(recording: Path, tmp_path: Path) -> None:
    """Its mean is in every frame; of features and of compressed files no part is read alone."""
    clip = replace(SPEC, normalisation="clip")
    other = tmp_path / "other.wav"
    other.write_bytes(wav(encoded(edited(noise(), 50), 1, 16), rate=RATE))
    assert heard(voice_digest(recording, SPEC), [2]) == heard(voice_digest(other, SPEC), [2])
    assert heard(voice_digest(recording, clip), [2]) != heard(voice_digest(other, clip), [2])
    for name, data in (("a.npy", b"\x93NUMPY"), ("a.mp3", b"ID3")):
        (tmp_path / name).write_bytes(data + bytes(100))
        digest = voice_digest(tmp_path / name, SPEC)
        assert len(digest) == 64 and heard(digest, [2]) == digest


def test_an_edited_line_leaves_the_rest_of_the_film(recording: Path, tmp_path: Path) -> None:
    small = small_avatar(tmp_path / "deepspeech.egs")
    features = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()))
    save_avatar(replace(small, features=features), tmp_path / "head.egs")
    avatar = load_avatar(tmp_path / "head.egs")
    job = BakeJob(
        avatar_path=tmp_path / "head.egs",
        avatar_hash=avatar.content_hash,
        voice=recording,
        frames=training_tasks(avatar, (1, 500, 1250), size=(16, 16)),
        directory=tmp_path / "out",
    )
    list(BuiltinEngine("numpy").bake(job))
    assert finished(unfinished(job, Existing(resume=True))) is None
    recording.write_bytes(wav(encoded(edited(noise(), 49.0), 1, 16), rate=RATE))
    rest = finished(unfinished(job, Existing(resume=True)))
    assert rest is not None and [task.number for task in rest.frames] == [1250]
