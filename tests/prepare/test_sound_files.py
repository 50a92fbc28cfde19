"""Sound files that PyAV decodes where librosa is not installed or cannot: in time, whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs PyAV")

from core.audio.files import load_waveform  # noqa: E402
from core.errors import AudioError  # noqa: E402


def write(path: Path, codec: str, rate: int, samples: np.ndarray, **options: str) -> None:
    """samples (channels, T)."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    kind = "adts" if path.suffix == ".aac" else None
    with av.open(str(path), "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        context = stream.codec_context
        size = context.frame_size or None
        resampler = av.AudioResampler(context.format, layout, rate, frame_size=size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def clicks(rate: int, channels: int = 1) -> np.ndarray:
    samples = np.zeros((channels, 3 * rate), np.float32)
    for second in (0.5, 1.5, 2.5):
        at = int(second * rate)
        samples[:, at : at + rate // 200] = 0.8
    return samples


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp3", "libmp3lame"),
        ("a.aac", "aac"),
        ("a.m4a", "aac"),
        ("a.ogg", "libvorbis"),
        ("a.opus", "libopus"),
    ],
)
def test_clicks_are_in_time(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    if codec == "libopus" and rate == 44100:
        pytest.skip("Opus has no such rate")
    try:
        write(tmp_path / name, codec, rate, clicks(rate))
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this PyAV has no {codec}")
    found = np.abs(load_waveform(tmp_path / name).samples)
    loud = np.flatnonzero(found > 0.3 * found.max()) / 16000
    starts = loud[np.diff(loud, prepend=-1) > 0.5]
    np.testing.assert_allclose(starts, (0.5, 1.5, 2.5), atol=0.02)


def test_the_voice_in_the_centre_of_5_1(tmp_path: Path) -> None:
    rate = 48000
    voice = 0.4 * np.sin(np.arange(rate) / 30).astype(np.float32)
    parts = np.zeros((6, rate), np.float32)
    parts[2] = voice
    write(tmp_path / "a.m4a", "aac", rate, parts)
    found = load_waveform(tmp_path / "a.m4a").samples
    assert np.abs(found[2000:14000]).max() == pytest.approx(0.4, abs=0.03)


def test_what_is_no_sound_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(b"nothing that anybody knows " * 50)
    with pytest.raises(AudioError, match=r"a\.m4a cannot be decoded") as caught:
        load_waveform(tmp_path / "a.m4a")
    assert "\n" not in str(caught.value)
