"""Films that flash and click at the same moments: pictures and sound stay together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs PyAV: make prepare")

from core.errors import VideoError  # noqa: E402
from core.prepare import state  # noqa: E402
from core.prepare.options import PrepareOptions  # noqa: E402
from core.prepare.pipeline import prepare  # noqa: E402
from core.prepare.video import clock  # noqa: E402
from core.prepare.video.clock import frames  # noqa: E402
from core.prepare.video.container import film_of  # noqa: E402
from core.prepare.video.picture import Converter  # noqa: E402
from core.prepare.video.placing import placed  # noqa: E402
from core.prepare.video.sound import Sound, sound  # noqa: E402

from ..support.videos import Retime, write  # noqa: E402

CLOSE = 0.02  # seconds that flashes and clicks may be apart
RATE = 48000


def pictures(times: np.ndarray) -> list[np.ndarray]:
    """(32, 48, 3) dark with something that moves; bright at full seconds."""
    found = []
    for time in times:
        pixels = np.full((32, 48, 3), 30, np.uint8)
        pixels[:, int(8 * time) % 40 : int(8 * time) % 40 + 8] = 60
        found.append(pixels if abs(time - round(time)) > 1e-3 else np.full_like(pixels, 230))
    return found


def clicks(seconds: float, rate: int = RATE, *, pace: float = 1.0) -> np.ndarray:
    """(1, n) hum, and a click of 5 ms at every full second. pace: of the recorder's clock."""
    time = np.arange(round(seconds * rate * pace)) / rate / pace
    samples = np.where(time % 1 < 0.005, 0.8, 0.05 * np.sin(2 * np.pi * 200 * time))
    return samples[None].astype(np.float32)


def flashes_and_clicks(
    path: Path, start: float = 0.0, seconds: float | None = None
) -> tuple[np.ndarray, np.ndarray, Sound]:
    """Seconds of the flashes and of the clicks in the dataset that is made of a film."""
    film = film_of(path)
    convert = Converter(film, 12, 8)
    bright = [convert(frame).mean() > 150 for frame, _ in frames(film, start, seconds)]
    found = sound(film, start, len(bright))
    loud = np.flatnonzero(np.abs(found.voice.samples) > 0.3) / 16000
    begins = loud[np.diff(loud, prepend=-1) > 0.1]
    lit = np.flatnonzero(bright) / 25
    return lit[np.diff(lit, prepend=-1) > 0.1], begins, found


def together(flashes: np.ndarray, clicks: np.ndarray, least: int) -> None:
    """Every click that is there comes with a flash."""
    apart = np.abs(flashes[:, None] - clicks[None]).min(0)
    assert len(clicks) >= least and apart.max() <= CLOSE, (flashes, clicks)


def film(path: Path, retime: Retime, seconds: float = 6.0, **options: object) -> Path:
    times = np.arange(round(25 * seconds)) / 25
    return write(path, pictures(times), clicks(seconds), retime=retime, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["gap.mkv", "gap.mp4"])
def test_a_hole_in_the_sound_stays_a_hole(tmp_path: Path, name: str) -> None:
    def retime(kind: str, time: float) -> float | None:
        return None if kind == "audio" and 1.5 < time < 3.5 else time

    lit, heard, found = flashes_and_clicks(film(tmp_path / name, retime))
    together(lit, heard, 4)
    assert len(lit) == 6 and 4.0 in np.round(heard, 1) and not {2.0, 3.0} & {*np.round(heard)}
    ((begin, end),) = found.holes
    assert abs(begin - 1.5) < 0.05 and abs(end - 3.5) < 0.05
    assert any("missing for 2.0 s" in note for note in found.notes)


def test_a_stream_that_begins_between_key_frames(tmp_path: Path) -> None:
    options = {"g": "100", "bf": "2", "sc_threshold": "0"}
    path = film(
        tmp_path / "a.ts", lambda kind, time: time, 9, codec="libx264", video_options=options
    )
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 188 // 6 * 188 :])
    lit, heard, _ = flashes_and_clicks(path)
    together(lit, heard, 3)


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("late_sound.mp4", 0.0, 0.5),
        ("late_pictures.mp4", 0.48, 0.0),
        ("late_pictures.mkv", 0.48, 0.0),
        ("negative.mp4", -1.2, -1.2),
        ("negative_sound.mp4", 0.0, -0.7),
        ("day.ts", 93600.0, 93600.0),
    ],
)
def test_streams_that_begin_elsewhere(
    tmp_path: Path, name: str, video: float, audio: float
) -> None:
    """Sound that really begins late or early moves its clicks with it."""
    path = film(tmp_path / name, lambda kind, time: time + (video if kind == "video" else audio), 5)
    lit, heard, _ = flashes_and_clicks(path)
    together((lit + audio - video + 10) % 1, (heard + 10) % 1, 3)


@pytest.mark.parametrize("rate", [15.0, 24.0, 29.97, 50.0, 59.94])
def test_any_rate(tmp_path: Path, rate: float) -> None:
    times = np.arange(int(4 * rate)) / rate
    near = np.abs(times - np.round(times)) < 0.5 / rate
    images = pictures(np.where(near, np.round(times), times))
    path = write(tmp_path / "a.mkv", images, clicks(4), rate=30, times=times)
    lit, heard, _ = flashes_and_clicks(path)
    assert np.abs(lit[:, None] - heard[None]).min(0).max() <= CLOSE + 0.5 / rate


def test_live_webm_without_a_duration(tmp_path: Path) -> None:
    path = tmp_path / "live.webm"
    options = {"deadline": "realtime", "cpu-used": "8"}
    film(path, lambda kind, t: t, 4, codec="libvpx", sound_codec="libopus", video_options=options)
    data = path.read_bytes()
    # Recorders cannot return to the header: its duration (element 0x4489) becomes a void one.
    at = data.index(b"\x44\x89\x88")
    path.write_bytes(data[:at] + b"\xec\x89" + data[at + 2 :])
    with av.open(str(path)) as container:
        assert not container.duration
    lit, heard, _ = flashes_and_clicks(path)
    together(lit, heard, 4)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_later_part_is_sought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    options = {"g": "25", "bf": "2"}
    path = film(
        tmp_path / name, lambda kind, time: time, 14, codec="libx264", video_options=options
    )
    seen: list[float] = []

    def counted(*values: object) -> object:
        for frame in real(*values):  # type: ignore[arg-type]
            seen.append(frame.time)
            yield frame

    real = clock.decoded
    monkeypatch.setattr(clock, "decoded", counted)
    lit, heard, _ = flashes_and_clicks(path, 10.4, 2.0)
    together(lit, heard, 2)
    np.testing.assert_allclose(lit, [0.6, 1.6], atol=1e-6)
    assert len(seen) < 150  # of 350


def test_a_recorder_whose_clock_runs_slow(tmp_path: Path) -> None:
    """Half a percent, by its time stamps: 30 ms after 6 s, 90 ms after 18 s."""
    times = np.arange(25 * 18) / 25
    path = write(
        tmp_path / "a.mkv", pictures(times), clicks(18, pace=0.995), sound_codec="pcm_s16le",
        retime=lambda kind, time: time / 0.995 if kind == "audio" else time,
    )  # fmt: skip
    lit, heard, _ = flashes_and_clicks(path)
    together(lit, heard, 17)


def test_pieces_that_overlap_are_placed_by_their_times() -> None:
    ones = np.ones(1000, np.float32)
    out, holes = placed([(0.0, ones), (0.8, 2 * ones), (3.0, 3 * ones)], 1000, 4200)
    np.testing.assert_array_equal(out[[0, 799, 800, 1799, 1800, 2999, 3000, 3999, 4000]],
                                  [1, 1, 2, 2, 0, 0, 3, 3, 0])  # fmt: skip
    assert holes == [(1.8, 3.0), (4.0, 4.2)]
    early, _ = placed([(-0.5, ones)], 1000, 1000)
    assert early.sum() == 500


def test_times_that_jitter_leave_the_sound_whole() -> None:
    random = np.random.default_rng(0)
    wave = np.sin(np.arange(48000) / 30).astype(np.float32)
    pieces = [
        (k * 0.02 + random.uniform(-0.005, 0.005), wave[960 * k : 960 * (k + 1)]) for k in range(50)
    ]
    out, holes = placed(pieces, 48000, 48000)
    best = max(float(np.corrcoef(wave[300:-300], out[300 + k : k - 300 or None])[0, 1])
               for k in range(-200, 200))  # fmt: skip
    assert best > 0.999 and not holes


def test_a_long_file_is_recognised_without_reading_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "WHOLE", 2**16)
    monkeypatch.setattr(state, "BLOCK", 2**10)
    path = tmp_path / "long.mp4"
    random = np.random.default_rng(0)
    data = bytearray(random.integers(0, 256, 2**20, np.uint8).tobytes())
    path.write_bytes(data)
    before = state.digest_of_video(path)
    assert before != state.digest_of_file(path)
    for place in (0, 2**19, 2**20 - 1):  # one of them lies between the blocks
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert (state.digest_of_video(path) == before) == (place == 2**19)
    path.write_bytes(data + b"\0")
    assert state.digest_of_video(path) != before
    path.write_bytes(data[: 2**15])
    assert state.digest_of_video(path) == state.digest_of_file(path)


def test_a_file_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """31 minutes by its header, and four pictures."""
    pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")
    times = [0.0, 0.04, 0.08, 1860.0]
    path = write(tmp_path / "long.mkv", pictures(np.array(times)), None, times=times)
    said: list[tuple[str, int]] = []
    with pytest.raises(VideoError, match=r"longer than 30 minutes; .* --start and --seconds"):
        prepare(
            path, tmp_path / "out", PrepareOptions(processes=1),
            progress=lambda step, done, total: said.append((step, done)),
        )  # fmt: skip
    assert not said
