"""Long compressed sounds: decoded in pieces, in flat memory, with the same samples."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.audio import files, samples, sequential
from core.audio.decoders import compressed_reader
from core.audio.extractor import computed_spec
from core.audio.features import counted, track_pieces
from core.audio.files import load_waveform
from core.audio.samples import samples_of
from core.audio.sequential import Sequential
from core.records.arrays import Float32
from core.records.voice import PlacedSound, SoundMix, SoundPart
from core.system.steps import finished
from tests.support.avatar_inputs import small_avatar

RATE = 16000
KINDS = ("mp3", "ogg", "opus", "flac", "gsm", "aiff")


def written(folder: Path, kind: str) -> Path:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile")
    path = folder / f"a.{kind}"
    noise = np.random.default_rng(3).normal(0, 0.1, (6 * RATE, 1 if kind == "gsm" else 2))
    how = {
        "opus": {"format": "OGG", "subtype": "OPUS"},
        "gsm": {"format": "RAW", "subtype": "GSM610"},
    }
    soundfile.write(path, noise, 8000 if kind == "gsm" else RATE, **how.get(kind, {}))
    return path


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sound is a long one."""
    monkeypatch.setattr(sequential, "KEPT", 1000)
    monkeypatch.setattr("core.audio.decoders.PIECE", 5000)
    monkeypatch.setattr(samples, "LONG", 0)
    monkeypatch.setattr(files, "SMALL", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_those_of_the_whole(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    path = written(tmp_path, kind)
    whole = load_waveform(path).samples
    request.getfixturevalue("pieces")
    assert np.array_equal(load_waveform(path).samples, whole)
    assert files.sound_length(path) == len(whole)
    read, _ = samples_of(path)
    found = compressed_reader(path)
    own = found.read(0, found.length)
    for start, stop in ((70000, 80000), (100, 9000), (9000, 9001), (0, 50), (60000, 61000)):
        assert np.array_equal(found.read(start, min(stop, found.length)), own[start:stop])
        assert np.array_equal(read[start:stop], whole[start:stop])
    part = SoundPart(path, 1.0, 2.0)
    mix = SoundMix((PlacedSound(0.5, part),), 4.0)
    mixed, _ = samples_of(mix)
    assert np.array_equal(mixed[8000:40000], whole[16000:48000])
    assert len(mixed) == files.sound_length(mix) == 64000


def test_a_track_of_pieces_is_that_of_the_whole(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = written(tmp_path, "mp3")
    avatar = replace(small_avatar(), features=computed_spec("log-mel"))
    whole = finished(track_pieces(avatar, path))
    request.getfixturevalue("pieces")
    assert counted(avatar, path) == (path, len(whole))
    assert np.array_equal(finished(track_pieces(avatar, path)).windows, whole.windows)
    wanted = finished(track_pieces(avatar, path, range(60, 70)))
    assert all(np.array_equal(wanted.around(row), whole.around(row)) for row in range(60, 70))


def test_memory_does_not_grow_with_the_length() -> None:
    def begin(count: int) -> Iterator[Float32]:
        for _ in range(count):
            yield np.zeros((1 << 16, 2), np.float32)

    def peak(count: int) -> int:
        tracemalloc.start()
        sound = Sequential(lambda: begin(count), 1 << 40)
        assert sound.length == count << 16
        for start in range(0, sound.length, 1 << 17):
            assert len(sound.read(start, start + (1 << 17))) == 1 << 17
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    kept = 4 * sequential.KEPT
    assert peak(400) < 1.2 * kept and peak(1600) < 1.2 * kept
