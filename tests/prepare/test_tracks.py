"""Several films, sounds or channels in one file: the voice is found, the rest is named."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs PyAV: make prepare")

from core.errors import ArgumentError, VideoError  # noqa: E402
from core.prepare.options import PrepareOptions  # noqa: E402
from core.prepare.video.container import film_of  # noqa: E402
from core.prepare.video.mix import choose_mix  # noqa: E402
from core.prepare.video.sound import Sound, sound  # noqa: E402

from ..support.videos import GOLDEN, write  # noqa: E402

RATE = 48000
Flag = av.stream.Disposition


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """(n,) some seconds of speech."""
    with av.open(str(GOLDEN)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        parts = [
            part.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for part in resampler.resample(frame)
        ]
    return np.tile(np.concatenate(parts), 3)


def music(count: int) -> np.ndarray:
    """(n,) chords that change twice a second."""
    time = np.arange(count) / RATE
    shift = 2 ** (np.floor(2 * time) % 5 / 12)
    return sum(0.1 * np.sin(2 * np.pi * f * shift * time) for f in (220, 277, 330, 440))


def film(
    path: Path, sounds: Sequence[np.ndarray], *, layout: str = "mono", default: int = 0,
    sizes: Sequence[int] = (48,), flags: Sequence[Flag] = (Flag.default,),
) -> Path:  # fmt: skip
    """sounds: (channels, n) of each track. default: the one so marked. sizes, flags: height and
    disposition of each film; a film of one picture where it is a cover."""
    with av.open(str(path), "w") as container:
        films = []
        for height, flag in zip(sizes, flags, strict=True):
            stream = container.add_stream(
                "mjpeg" if flag == Flag.attached_pic else "mpeg4", rate=25
            )
            stream.width, stream.height = 64, height
            stream.pix_fmt = "yuvj420p" if flag == Flag.attached_pic else "yuv420p"
            stream.disposition = flag.value
            films.append(stream)
        tracks = []
        for index in range(len(sounds)):
            stream = container.add_stream("pcm_s16le", rate=RATE, layout=layout)
            stream.disposition = (Flag.default if index == default else Flag(0)).value
            tracks.append(stream)
        for index in range(round(25 * sounds[0].shape[1] / RATE) if sounds else 25):
            for stream, flag in zip(films, flags, strict=True):
                if flag != Flag.attached_pic or index == 0:
                    pixels = np.full((stream.height, 64, 3), 9 * index % 256, np.uint8)
                    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                    container.mux(stream.encode(frame))
        for stream, samples in zip(tracks, sounds, strict=True):
            packed = np.rint(32767 * samples.T).astype(np.int16).reshape(1, -1)
            piece = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
            piece.sample_rate, piece.pts, piece.time_base = RATE, 0, Fraction(1, RATE)
            container.mux(stream.encode(piece))
        for stream in [*films, *tracks]:
            container.mux(stream.encode())
    return path


def heard(path: Path, wanted: int | None = None) -> Sound:
    return sound(film_of(path), 0.0, 125, wanted)


def like(found: Sound, true: np.ndarray) -> float:
    """Correlation of their loudness."""
    count = 125 * 640 // 320
    blocks = found.voice.samples[: count * 320].reshape(count, -1)
    others = true[: count * RATE // 50].reshape(count, -1)
    return float(np.corrcoef(blocks.std(1), others.std(1))[0, 1])


@pytest.mark.parametrize("first", ["silence", "music"])
@pytest.mark.parametrize("default", [0, 1])
def test_the_voice_is_found_among_tracks(
    tmp_path: Path, voice: np.ndarray, first: str, default: int
) -> None:
    other = np.zeros(len(voice)) if first == "silence" else music(len(voice))
    path = film(tmp_path / "two.mkv", [other[None], voice[None]], default=default)
    found = heard(path)
    assert found.track.number == 2 and like(found, voice) > 0.99
    assert any("2 sound tracks" in note and "--audio-track" in note for note in found.notes)


def test_of_two_voices_the_default_one_is_taken(tmp_path: Path, voice: np.ndarray) -> None:
    path = film(tmp_path / "two.mkv", [voice[None, ::-1], voice[None]], default=1)
    assert heard(path).track.number == 2
    path = film(tmp_path / "first.mkv", [voice[None, ::-1], voice[None]], default=0)
    assert heard(path).track.number == 1


def test_a_track_can_be_chosen(tmp_path: Path, voice: np.ndarray) -> None:
    path = film(tmp_path / "two.mkv", [music(len(voice))[None], voice[None]])
    assert like(heard(path, 1), music(len(voice))) > 0.99
    with pytest.raises(ArgumentError, match=r"--audio-track 3: .* has 2 sound tracks"):
        heard(path, 3)
    with pytest.raises(ArgumentError, match="counted from 1"):
        PrepareOptions(audio_track=0)
    path = film(tmp_path / "still.mkv", [np.zeros((1, len(voice))), voice[None]])
    with pytest.raises(VideoError, match=r"sound track 1 of .* is silent .* --audio-track"):
        heard(path, 1)


def test_the_voice_in_the_centre_of_six_channels(tmp_path: Path, voice: np.ndarray) -> None:
    rest = [0.3 * music(len(voice))] * 2
    channels = np.stack([*rest, voice, 0 * voice, 0.1 * rest[0], 0.1 * rest[0]])
    found = heard(film(tmp_path / "a.mkv", [channels], layout="5.1"))
    assert like(found, voice) > 0.99
    level = np.abs(found.voice.samples).max() / np.abs(voice[: 5 * RATE]).max()
    assert 0.9 < level < 1.1
    assert any("centre of 6 channels" in note for note in found.notes)


@pytest.mark.parametrize("right", [-1.0, 0.0, 1.0])
def test_two_channels(tmp_path: Path, voice: np.ndarray, right: float) -> None:
    """Inverted, silent and equal to the other one: the voice keeps its level."""
    found = heard(film(tmp_path / "a.mkv", [np.stack([voice, right * voice])], layout="stereo"))
    level = np.abs(found.voice.samples).max() / np.abs(voice[: 5 * RATE]).max()
    assert like(found, voice) > 0.99 and 0.9 < level < 1.1
    assert any("inverted" in note for note in found.notes) == (right < 0)


def test_unlike_channels_are_mixed() -> None:
    np.testing.assert_allclose(choose_mix(np.diag([1.0, 0.8]), ("FL", "FR")).weights, 0.5)
    surround = choose_mix(np.diag([1.0, 1, 1e-3, 1, 1, 1]), ("FL", "FR", "FC", "LFE", "SL", "SR"))
    assert surround.weights[3] == 0 and surround.weights[4] < surround.weights[0]
    assert surround.weights.sum() == pytest.approx(1)


def test_a_very_quiet_voice_is_made_louder(tmp_path: Path, voice: np.ndarray) -> None:
    path = tmp_path / "a.mkv"
    pictures = [np.full((32, 32, 3), 90, np.uint8)] * 125
    write(path, pictures, (0.004 * voice)[None].astype(np.float32), sound_codec="pcm_s24le")
    found = heard(path)
    assert like(found, voice) > 0.99 and np.abs(found.voice.samples).max() > 0.1
    assert found.loudness < -45 and any("very quiet" in note for note in found.notes)


def test_covers_and_smaller_films_are_not_the_film(tmp_path: Path) -> None:
    sizes, flags = (32, 80, 128), (Flag(0), Flag.default, Flag.attached_pic)
    found = film_of(film(tmp_path / "a.mp4", [], sizes=sizes, flags=flags))
    assert found.height == 80
    assert ["2 films; number 2 (64x80)" in note for note in found.notes] == [True]


def test_a_cover_alone_is_no_film(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [], sizes=(32,), flags=(Flag.attached_pic,))
    with pytest.raises(VideoError, match="only a cover picture"):
        film_of(path)
