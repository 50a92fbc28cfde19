"""Sounds that are added at their places: decoded, read in parts, and sent to a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.files import decoded, sound_length
from core.audio.samples import samples_of
from core.engine.shared_files import SharedFiles
from core.errors import AudioError, ProtocolError
from core.records.voice import RATE, PlacedSound, SoundMix, SoundPart, Waveform
from core.worker.exchange import voice_fields, voice_from
from tests.support.sound_files import encoded, wav


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mix") / "a.wav"
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, 3 * 44100)
    path.write_bytes(wav(encoded(samples, 1, 16), rate=44100))
    return path


def mix_of(path: Path, *places: tuple[float, float, float]) -> SoundMix:
    """places: at, skip, seconds of each part."""
    parts = tuple(PlacedSound(at, SoundPart(path, skip, length)) for at, skip, length in places)
    return SoundMix(parts, 4.0)


def test_parts_are_added_at_their_places(path: Path) -> None:
    whole = decoded(path).samples
    mixed = decoded(mix_of(path, (0.5, 0, 1), (1.0, 2, 0.5), (2.5, -0.5, 1))).samples
    wanted = np.zeros(4 * RATE, np.float32)
    wanted[8000:24000] += whole[:16000]
    wanted[16000:24000] += whole[32000:40000]
    wanted[48000:56000] += whole[:8000]
    np.testing.assert_array_equal(mixed, wanted)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(0, 5), st.floats(-1, 4), st.floats(0, 4)]), min_size=1, max_size=4
    ),
    st.integers(0, 8 * RATE),
    st.integers(0, 2 * RATE),
)
def test_a_slice_is_that_of_the_whole(
    path: Path, places: list[tuple[float, float, float]], first: int, count: int
) -> None:
    mix = mix_of(path, *places)
    whole, (read, _) = decoded(mix).samples, samples_of(mix)
    assert len(whole) == len(read) == sound_length(mix) >= 4 * RATE
    assert np.array_equal(read[first : first + count], whole[first : first + count])


def test_a_part_beyond_its_file_adds_nothing_and_a_missing_file_is_an_error(path: Path) -> None:
    assert not decoded(mix_of(path, (1, 99, 1))).samples.any()
    with pytest.raises(AudioError, match=r"gone\.wav"):
        decoded(mix_of(path.with_name("gone.wav"), (0, 0, 1)))
    assert len(decoded(SoundMix((), 0.5))) == RATE // 2


def test_a_worker_gets_the_same_mix(path: Path, tmp_path: Path) -> None:
    mix = mix_of(path, (0.5, 0, 1), (1.0, 2, 0.5))
    back = voice_from(tmp_path, voice_fields(mix))
    assert isinstance(back, SoundMix)
    np.testing.assert_array_equal(decoded(back).samples, decoded(mix).samples)
    for wrong in ({"at": 0.0, "sound": {"kind": "none"}}, 3):
        with pytest.raises(ProtocolError, match="a sound of a mix"):
            voice_from(tmp_path, {"kind": "mix", "sounds": [wrong], "seconds": 1.0})


def test_samples_of_a_mix_are_sent_as_one_sound(path: Path) -> None:
    tone = Waveform(np.full(RATE, 0.1, np.float32))
    mix = SoundMix((PlacedSound(0, SoundPart(path, 0, 1)), PlacedSound(0.5, tone)), 2.0)
    files = SharedFiles()
    try:
        back = voice_from(files.folder, files.voice(mix, "voice.npy"))
        assert isinstance(back, Waveform)
        np.testing.assert_array_equal(back.samples, decoded(mix).samples)
    finally:
        files.close()
