"""The sound of a strip, checked with samples that encode their time, and with Blender's mix."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError, AudioError
from egstalker.egstalker_blender.sound import decode, windows
from egstalker.egstalker_blender.sound.voice import Undecoded, voice_from
from egstalker.egstalker_blender.sound.windows import add_strip, window_of_strip

from core.audio.files import load_waveform
from tests.support.blender import (
    ROOT,
    clean_environment,
    python_here,
    ramp,
    voice,
    waveform_of_strip,
    write_wav,
)

SECONDS = 4.0
RATE = 16000
PER_SECOND = 0.9 / SECONDS  # of the ramp


@pytest.fixture
def ramp_path(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "ramp.wav", ramp(SECONDS))


def put(strip: Any, name: str, older: str, value: float) -> None:
    setattr(strip, name if hasattr(strip, name) else older, value)


def heard(scene: Any, strip: Any) -> np.ndarray:
    return waveform_of_strip(window_of_strip(scene, strip.name)).samples


def test_an_untouched_strip_is_the_file_to_the_bit(scene: Any, tmp_path: Path) -> None:
    for seconds in (2.0, 2.013, 2.029):  # not whole frames
        path = write_wav(tmp_path / f"{seconds}.wav", voice(seconds))
        strip = add_strip(scene, path, 1)
        assert np.array_equal(heard(scene, strip), load_waveform(path).samples)


def test_a_moved_strip_is_the_same_sound_later(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 31)
    window = window_of_strip(scene, strip.name)
    assert (window.left, window.skip) == (31, 0)
    assert np.array_equal(heard(scene, strip), load_waveform(ramp_path).samples)


def test_trimming_both_ends(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 1)
    put(strip, "left_handle", "frame_final_start", 26)  # a second in
    put(strip, "right_handle", "frame_final_end", 76)
    samples = heard(scene, strip)
    assert window_of_strip(scene, strip.name).left == 26
    assert len(samples) == 2 * RATE
    assert samples[0] == pytest.approx(1 * PER_SECOND, abs=1e-4)
    assert samples[-1] == pytest.approx(3 * PER_SECOND, abs=1e-4)


def test_slipping(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 1)
    put(strip, "content_trim_start", "animation_offset_start", 25)
    assert heard(scene, strip)[0] == pytest.approx(PER_SECOND, abs=1e-4)


def test_a_later_sound_begins_with_silence(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 1)
    strip.sound_offset = 0.5
    samples = heard(scene, strip)
    assert not samples[: RATE // 2].any()
    assert samples[RATE] == pytest.approx(0.5 * PER_SECOND, abs=1e-4)
    assert len(samples) == SECONDS * RATE
    strip.sound_offset = -0.5
    samples = heard(scene, strip)
    assert samples[0] == pytest.approx(0.5 * PER_SECOND, abs=1e-4)
    assert len(samples) == (SECONDS - 0.5) * RATE


def test_frame_rates_that_are_no_whole_numbers(scene: Any, ramp_path: Path) -> None:
    scene.render.fps, scene.render.fps_base = 30, 1.001
    strip = add_strip(scene, ramp_path, 1)
    put(strip, "left_handle", "frame_final_start", 31)
    assert heard(scene, strip)[0] == pytest.approx(1.001 * PER_SECOND, abs=1e-3)


def test_muted_is_silence_of_the_same_length(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 1)
    strip.mute = True
    samples = heard(scene, strip)
    assert len(samples) == SECONDS * RATE and not samples.any()
    strip.mute = False
    scene.sequence_editor.channels[strip.channel].mute = True
    assert not heard(scene, strip).any()


EDITS = [  # trim, left and right handle (0: untouched), sound offset
    (0, 0, 0, 0.0),
    (0, 30, 80, 0.0),
    (10, 0, 0, 0.0),
    (0, 0, 0, 0.2),
    (0, 0, 0, -0.2),
    (10, 30, 80, 0.2),
]


@pytest.mark.parametrize(("trim", "left", "right", "offset"), EDITS)
def test_agrees_with_the_mix_of_blender(
    scene: Any, tmp_path: Path, trim: int, left: int, right: int, offset: float
) -> None:
    """The mixdown is the truth: the same noise, at the same sample or one beside it."""
    noise = np.fft.rfft(np.random.default_rng(0).normal(size=round(SECONDS * RATE)))
    frequency = np.fft.rfftfreq(round(SECONDS * RATE), 1 / RATE)
    samples = np.fft.irfft(np.where((frequency > 100) & (frequency < 3000), noise, 0))
    samples *= 0.5 / np.abs(samples).max()
    path = write_wav(tmp_path / "noise.wav", np.repeat(samples[:, None], 2, axis=1))
    strip = add_strip(scene, path, 11)
    if trim:
        put(strip, "content_trim_start", "animation_offset_start", trim)
    if left:
        put(strip, "left_handle", "frame_final_start", left)
        put(strip, "right_handle", "frame_final_end", right)
    strip.sound_offset = offset
    window = window_of_strip(scene, strip.name)
    scene.frame_start, scene.frame_end = int(window.left), int(window.right) - 1
    scene.render.ffmpeg.audio_mixrate = RATE
    mixed = tmp_path / "mixed.wav"
    bpy.ops.sound.mixdown(filepath=str(mixed), container="WAV", codec="PCM", format="S16")
    truth, ours = load_waveform(mixed).samples, heard(scene, strip)
    count = min(len(truth), len(ours)) - 1
    assert count > 1.9 * RATE
    inner = slice(800, count - 800)  # Blender fades the ends
    errors = [np.abs(np.roll(truth, shift)[inner] - ours[inner]).mean() for shift in (-1, 0, 1)]
    assert min(errors) < 0.01 * np.abs(ours[inner]).mean()


def test_packed_sound_needs_no_file(scene: Any, ramp_path: Path) -> None:
    expected = load_waveform(ramp_path).samples
    strip = add_strip(scene, ramp_path, 1)
    strip.sound.pack()
    ramp_path.unlink()
    assert np.array_equal(heard(scene, strip), expected)


def test_a_missing_file_is_named(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 1)
    ramp_path.unlink()
    with pytest.raises(AudioError, match=r"ramp\.wav"):
        heard(scene, strip)


def test_a_strip_that_is_not_there_names_the_others(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 1)
    with pytest.raises(ArgumentError, match=strip.name):
        window_of_strip(scene, "nothing")


def test_a_strip_beyond_its_sound(scene: Any, ramp_path: Path) -> None:
    strip = add_strip(scene, ramp_path, 1)
    strip.sound_offset = -100
    with pytest.raises(AudioError, match="plays nothing"):
        heard(scene, strip)


def test_several_strips_take_free_channels(scene: Any, ramp_path: Path) -> None:
    made = [add_strip(scene, ramp_path, 1) for _ in range(3)]
    assert sorted(strip.channel for strip in made) == [1, 2, 3]
    assert {strip.name for strip in windows.sound_strips(scene)} == {strip.name for strip in made}


def write_flac(path: Path, samples: np.ndarray, rate: int) -> Path:
    aud = pytest.importorskip("aud", reason="this Blender has no audaspace")
    sound = aud.Sound.buffer(np.float32(samples)[:, None], rate)
    sound.write(
        str(path), rate, aud.CHANNELS_MONO, aud.FORMAT_S16, aud.CONTAINER_FLAC, aud.CODEC_FLAC
    )
    return path


def test_what_the_core_cannot_read_blender_decodes(tmp_path: Path) -> None:
    samples = voice(1.0, 44100)
    flac = decode.waveform_of_file(write_flac(tmp_path / "voice.flac", samples, 44100)).samples
    wav = load_waveform(write_wav(tmp_path / "voice.wav", samples, 44100)).samples
    count = min(len(flac), len(wav))
    assert abs(len(flac) - len(wav)) <= RATE // 10
    assert np.abs(flac[:count] - wav[:count]).max() < 1e-3


def test_without_audaspace_it_is_mixed_down(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = voice(1.0, 44100)
    path = write_flac(tmp_path / "voice.flac", samples, 44100)
    monkeypatch.setitem(sys.modules, "aud", None)
    found = voice_from(path)
    assert isinstance(found, Undecoded)
    with ThreadPoolExecutor() as pool:  # never in Blender's own thread
        mixed = pool.submit(found.decode).result().samples
    wav = load_waveform(write_wav(tmp_path / "voice.wav", samples, 44100)).samples
    inner = slice(1600, 12800)
    assert len(mixed) >= 12800
    assert np.corrcoef(mixed[inner], wav[inner])[0, 1] > 0.98
    assert np.std(mixed[inner]) == pytest.approx(np.std(wav[inner]), rel=0.03)
    assert len(bpy.data.scenes) == 1 and not bpy.data.sounds


def test_noise_that_is_no_sound(scene: Any, tmp_path: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(b"this is no sound" * 100)
    with pytest.raises(AudioError, match=r"noise\.mp3"):
        decode.waveform_of_file(path)


VANISHES = """
import os, runpy, sys
from pathlib import Path
import bpy
runpy.run_path("egstalker_blender/batch.py")["load_extension"]()
from egstalker.core.errors import AudioError
from egstalker.egstalker_blender.sound import decode

path, check = Path(sys.argv[1]), decode.check_layout

def vanish(*args):
    path.unlink()
    check(*args)

decode.check_layout = vanish
try:
    decode.waveform_of_file(path)
except AudioError as error:
    print(error, flush=True)
os._exit(0)
"""


def test_a_file_that_vanishes_while_it_is_read_is_one_line(tmp_path: Path) -> None:
    """In a process of its own, which audaspace ends if it is asked in the wrong way."""
    path = write_flac(tmp_path / "voice.flac", voice(1.0, 44100), 44100)
    done = subprocess.run(
        python_here("-c", VANISHES, path),
        cwd=ROOT,
        env=clean_environment(tmp_path / "profile"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("voice.flac cannot be decoded"), done.stdout
    assert done.stdout.count("\n") == 1
