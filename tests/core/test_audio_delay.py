"""The first sound comes when it did before it was encoded, within 20 ms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.audio.encoder_delay import seconds_before
from core.audio.files import load_waveform


def click(rate: int, seconds: float = 2.0) -> np.ndarray:
    samples = np.zeros(int(rate * seconds), np.float32)
    samples[rate // 2 : rate // 2 + rate // 200] = 0.8
    return samples


def first(path: Path) -> float:
    """Seconds of the first loud sample."""
    samples = np.abs(load_waveform(path).samples)
    return float(np.flatnonzero(samples > 0.3 * samples.max())[0]) / 16000


def frames_of(data: bytes) -> list[bytes]:
    """The frames of an MP3 of layer III, split by their headers."""
    at, out = data.index(b"\xff"), []
    rates = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
    kbits = {3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
             2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)}  # fmt: skip
    while at + 4 <= len(data) and data[at] == 0xFF:
        version = data[at + 1] >> 3 & 3
        rate = rates[version][data[at + 2] >> 2 & 3]
        bits = kbits[min(version, 3) if version == 3 else 2][data[at + 2] >> 4] * 1000
        size = (144 if version == 3 else 72) * bits // rate + (data[at + 2] >> 1 & 1)
        out.append(data[at : at + size])
        at += size
    return out


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac"])
def test_files_that_name_their_delay(tmp_path: Path, rate: int, suffix: str) -> None:
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile")
    path = tmp_path / f"click.{suffix}"
    soundfile.write(path, click(rate), rate)
    assert seconds_before(path) == 0
    assert first(path) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("rate", [16000, 24000, 44100, 48000])
@pytest.mark.parametrize("cover", [0, 300_000])
def test_an_mp3_without_a_header_of_its_length(tmp_path: Path, rate: int, cover: int) -> None:
    """Variable rate, no Xing header, and a cover picture before it: right length, right time."""
    soundfile = pytest.importorskip("soundfile", reason="needs soundfile")
    path = tmp_path / "click.mp3"
    soundfile.write(path, click(rate, 4.0), rate, bitrate_mode="VARIABLE", compression_level=0.5)
    frames = frames_of(path.read_bytes())
    assert any(tag in frames[0] for tag in (b"Xing", b"Info"))
    size = bytes(cover >> shift & 127 for shift in (21, 14, 7, 0))
    tag = b"ID3\x03\x00\x00" + size + bytes(cover) if cover else b""
    path.write_bytes(tag + b"".join(frames[1:]))
    assert first(path) == pytest.approx(0.5, abs=0.005)
    assert load_waveform(path).seconds == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(("index", "rate"), [(3, 48000), (4, 44100), (8, 16000)])
def test_raw_aac_is_known_by_its_header(tmp_path: Path, index: int, rate: int) -> None:
    path = tmp_path / "a.aac"
    path.write_bytes(bytes((0xFF, 0xF1, 0x40 | index << 2, 0x80, 0, 0, 0)) + bytes(100))
    assert seconds_before(path) == 1024 / rate
    for other in (b"", b"\xff", b"OggS" + bytes(99), b"RIFF" + bytes(99), b"ID3", b"\xff\xff" * 9):
        path.write_bytes(other)
        assert seconds_before(path) == 0
