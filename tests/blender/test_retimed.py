"""Retimed strips, which a second Blender mixes down."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import AudioError
from egstalker.core.system.steps import finished
from egstalker.egstalker_blender import cli
from egstalker.egstalker_blender.jobs import second
from egstalker.egstalker_blender.sound import copies, elsewhere, mixdown, strips, windows
from egstalker.egstalker_blender.sound import voice as voices

from tests.support.blender import voice, waveform_of_strip, write_wav
from tests.support.blender_strips import mix_down, put
from tests.support.waiting import LIMIT

RATE = 16000
CAN_RETIME = bpy.app.version >= (5, 1)


def pitch(samples: np.ndarray) -> float:
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * RATE / len(samples)


@pytest.mark.skipif(not CAN_RETIME, reason="Blender before 5.1 crashes on retiming keys")
@pytest.mark.parametrize("nested", [False, True])
def test_a_retimed_strip_is_mixed_down(scene: Any, head: Any, tmp_path: Path, nested: bool) -> None:
    """The second half at half speed: an octave lower. The scene stays as it is."""
    t = np.arange(4 * RATE) / RATE
    scene.sequence_editor_clear()  # Blender crashes when keys move beside strips without keys
    strip = windows.add_strip(scene, write_wav(tmp_path / "t.wav", np.sin(800 * np.pi * t) / 2), 1)
    strip.retiming_keys.add(timeline_frame=51)
    strip.retiming_keys[2].timeline_frame = 151
    loud = windows.add_strip(scene, write_wav(tmp_path / "l.wav", voice(4.0)), 1)
    scene.frame_start, scene.frame_end = 3, 5
    strip.volume, scene.use_audio = 0.1, False
    if nested:
        meta = scene.sequence_editor.strips.new_meta("meta", 7, 1)
        put(meta, "right_handle", "frame_final_end", 151)
        strip.move_to_meta(meta)
    head.egstalker.sound_strip = strip.name
    before = strips.fingerprint(scene, head)
    counts = (len(bpy.data.scenes), len(bpy.data.sounds), len(bpy.data.actions))
    window = strips.linked_window(scene, head)
    assert window.retimed
    samples = waveform_of_strip(window).samples
    assert len(samples) == pytest.approx(window.seconds * RATE, abs=RATE / 25)
    assert pitch(samples[: 2 * RATE]) == pytest.approx(400, abs=3)
    corrected = getattr(strip, "pitch_correction", False)
    assert pitch(samples[3 * RATE : 5 * RATE]) == pytest.approx(400 if corrected else 200, abs=3)
    assert np.abs(samples[RATE // 2 : RATE]).max() == pytest.approx(0.5, rel=0.05)
    assert (len(bpy.data.scenes), len(bpy.data.sounds), len(bpy.data.actions)) == counts
    assert (scene.frame_start, scene.frame_end, loud.mute) == (3, 5, False)
    assert strip.volume == pytest.approx(0.1) and bpy.context.scene == scene
    strip.retiming_keys.reset()
    assert strips.fingerprint(scene, head) != before


@pytest.mark.skipif(not CAN_RETIME, reason="Blender before 5.1 crashes on retiming keys")
def test_a_second_blender_mixes_what_this_one_would(
    scene: Any, head: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the scene is only copied and written, also with a relative path to its sound."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    scene.sequence_editor_clear()
    strip = windows.add_strip(scene, write_wav(tmp_path / "t.wav", voice(1.0)), 1)
    strip.sound.filepath = "//t.wav"
    strip.retiming_keys.add(timeline_frame=11)
    strip.retiming_keys[2].timeline_frame = 31
    head.egstalker.sound_strip = strip.name
    window = strips.linked_window(scene, head)
    mixed = tmp_path / "mixed.wav"
    with copies.alone(window) as copy:
        first, last = mixdown.range_of(window)
        mix_down(copy, first, last, mixed, mixdown.MIX_RATE)
    here = mixdown.loud(mixdown.loaded(mixed), mono=True).samples
    assert np.abs(here).max() > 0.1
    counts = (len(bpy.data.scenes), len(bpy.data.sounds))
    found = voices.voice_from(window)
    assert isinstance(found, voices.Undecoded) and found.longest == window.seconds
    assert (len(bpy.data.scenes), len(bpy.data.sounds)) == counts
    assert np.array_equal(found.decode().samples, here)
    broken = voices.voice_from(window)
    monkeypatch.setattr(elsewhere, "MIXER", tmp_path / "none.py")
    with pytest.raises(AudioError, match="t cannot be decoded"):
        broken.decode()


def test_a_mixdown_that_writes_next_to_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wav(tmp_path / "voice.wav", voice(1.0))
    short = SimpleNamespace(length=1600, rate=16000)
    monkeypatch.setattr(mixdown, "wav_layout", lambda _: short)
    with pytest.raises(AudioError, match=r"voice\.wav cannot be mixed down"):
        elsewhere.mixed_file(path)


def test_a_command_that_ends_leaves_no_second_blender(tmp_path: Path) -> None:
    """Another thread waits for it; a signal ends the main one."""
    script = tmp_path / "sleep.py"
    script.write_text(
        "import time\n\ndef run(job):\n    print('begun', flush=True)\n    time.sleep(600)\n"
    )
    begun = threading.Event()
    steps = second.run_second(script, {}, tmp_path, lambda line: begun.set() or True)
    with ThreadPoolExecutor() as pool:
        fault = pool.submit(finished, steps)
        assert begun.wait(LIMIT)
        assert cli.main(["--nothing"]) == 2
        assert "ended with code" in fault.result(LIMIT)
