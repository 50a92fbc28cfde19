"""Videos of any rate, orientation and sound; and broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs PyAV: make prepare")

from core.errors import VideoError  # noqa: E402
from core.prepare.video.clock import frames  # noqa: E402
from core.prepare.video.container import film_of  # noqa: E402
from core.prepare.video.sound import sound  # noqa: E402

from ..support.videos import GOLDEN, pictures, tone, turn, whole, write  # noqa: E402

BITS = 1 << np.arange(6)


def marked(count: int) -> list[np.ndarray]:
    """Frames (48, 96, 3) whose six columns, dark or bright, tell their number."""
    bits = [(index & BITS > 0).repeat(16) for index in range(count)]
    return [
        np.broadcast_to(40 + 170 * row[None, :, None], (48, 96, 3)).astype(np.uint8) for row in bits
    ]


def numbers(path: Path, start: float = 0.0, seconds: float | None = None) -> list[int]:
    found = []
    film = film_of(path)
    for frame, _ in frames(film, start, seconds):
        columns = whole(film, frame).mean((0, 2)).reshape(6, 16)[:, 4:12].mean(1)
        found.append(int(BITS @ (columns > 125)))
    return found


def test_25_pictures_a_second_come_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", marked(50), None)
    assert numbers(path) == list(range(50))
    assert numbers(path, 0.4, 0.2) == [10, 11, 12, 13, 14]


def test_30_pictures_a_second_become_25(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", marked(60), None, rate=30)
    found = numbers(path)
    assert len(found) == 50
    times = np.array(found) / 30
    assert np.abs(times - np.arange(50) / 25).max() <= 0.5 / 30 + 1e-6


def test_a_changing_rate_keeps_its_times(tmp_path: Path) -> None:
    """A phone in the dark: 30 pictures a second, then 12."""
    times = [*(np.arange(30) / 30), *(1 + np.arange(13) / 12)]
    path = write(tmp_path / "a.mp4", marked(43), None, rate=30, times=times)
    found = numbers(path)
    assert abs(len(found) - 51) <= 1
    apart = np.abs(np.array(times)[found] - np.arange(len(found)) / 25)
    assert apart.max() <= 0.5 / 12 + 1e-3
    repeated = [same for _, same in frames(film_of(path), 0, None)]
    assert not any(repeated[:25]) and sum(repeated[26:]) >= 10


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_turned_phone_video_is_upright(tmp_path: Path, quarters: int) -> None:
    upright = np.zeros((48, 96, 3), np.uint8)
    upright[:24, :48] = (255, 0, 0)  # top left
    upright[24:, 48:] = (0, 0, 255)
    stored = np.rot90(upright, quarters)  # shown again by as many turns clockwise
    path = write(tmp_path / "a.mp4", [stored] * 3, None)
    turn(path, quarters)
    film = film_of(path)
    assert (film.width, film.height) == (96, 48)
    frame, _ = next(iter(frames(film_of(path), 0, None)))
    pixels = whole(film, frame)
    assert np.abs(pixels[4:20, 4:44].astype(int) - (255, 0, 0)).mean() < 20
    assert np.abs(pixels[28:44, 52:92].astype(int) - (0, 0, 255)).mean() < 20


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (44100, 1), (16000, 1)])
def test_sound_of_any_kind_becomes_16_khz_mono_in_time(
    tmp_path: Path, rate: int, channels: int
) -> None:
    path = write(tmp_path / "a.mp4", marked(75), tone(3, rate, channels), sound_rate=rate)
    found = sound(film_of(path), 0, 75).voice
    assert found.rate == 16000 and len(found) == 75 * 640
    loudest = np.abs(found.samples) > 0.5
    assert abs(np.flatnonzero(loudest).mean() / 16000 - 0.505) < 0.003
    later = sound(film_of(path), 0.4, 25).voice
    assert len(later) == 25 * 640
    assert abs(np.flatnonzero(np.abs(later.samples) > 0.5).mean() / 16000 - 0.105) < 0.003


def test_sound_that_ends_early_goes_on_silent(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", marked(75), tone(2, 48000))
    samples = sound(film_of(path), 0, 75).voice.samples
    assert len(samples) == 75 * 640 and np.abs(samples[35000:]).max() < 1e-3


def test_no_sound_and_silence_have_errors_of_their_own(tmp_path: Path) -> None:
    mute = write(tmp_path / "mute.mp4", marked(60), None)
    with pytest.raises(VideoError, match="has no sound"):
        sound(film_of(mute), 0, 60)
    still = write(tmp_path / "still.mp4", marked(60), 1e-4 * tone(2.4, 48000))
    with pytest.raises(VideoError, match="is silent"):
        sound(film_of(still), 0, 60)


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
def test_what_is_no_video_ends_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match="cannot be decoded"):
        film_of(path)


def test_a_sound_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        piece = av.AudioFrame.from_ndarray(tone(1, 16000), format="fltp", layout="mono")
        piece.sample_rate = 16000
        for packet in [*stream.encode(piece), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(VideoError, match="has no pictures"):
        film_of(path)


def test_a_video_that_was_cut_off(tmp_path: Path) -> None:
    """The header lies in front, as recorders for the web write it, and promises more."""
    data = GOLDEN.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match=r"cut off|cannot be decoded"):
        list(frames(film_of(path), 0, None))
    assert len(pictures()) == 56


def test_a_few_damaged_packets_are_passed_over(tmp_path: Path) -> None:
    """Garbage in the middle: the pictures before and after it stay at their times."""
    path = write(
        tmp_path / "a.ts", marked(50), None, codec="libx264", video_options={"g": "10", "bf": "0"}
    )
    data = bytearray(path.read_bytes())
    middle = len(data) // 188 // 2
    for packet in range(middle, middle + 2):
        data[188 * packet + 20 : 188 * packet + 180] = bytes(160)
    path.write_bytes(data)
    found = np.array(numbers(path))
    assert abs(len(found) - 50) <= 1
    right = found == np.arange(len(found))
    assert right[:15].all() and right[-15:].all()
