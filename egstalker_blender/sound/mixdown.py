"""What Blender's own mixdown needs, and what it gives: copies of scenes, and WAV files.

The user's scenes are not changed. elsewhere.py mixes in a second Blender; only a scene strip in the
voice of a film is mixed in this one (film/voice.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...core.audio.wav import load_wav, wav_layout
from ...core.errors import AudioError
from ...core.records.voice import Waveform
from .windows import StripWindow, frame_rate, isolate

MIX_FPS = 100  # frames per second of the temporary scene for a file: 10 ms steps
MIX_RATE = 48000
COMPLETE = (
    0.9  # share of the range; some builds of Blender report success and write next to nothing
)


@contextmanager
def alone(window: StripWindow) -> Iterator[Any]:
    """A copy of the strip's scene in which it alone sounds."""
    scene = bpy.data.scenes[window.scene].copy()
    with removed(scene):
        empty(scene)
        scene.animation_data_clear()
        scene.use_audio, scene.audio_volume = True, 1.0
        isolate(scene, window.name, first=0)
        yield scene


def range_of(window: StripWindow) -> tuple[int, int]:
    """First and last frame of the strip in `alone`."""
    first = max(int(window.left - window.shift), 0)
    return first, first + max(int(window.right - window.left) - 1, 0)


@contextmanager
def removed(scene: Any) -> Iterator[None]:
    """Removes the scene at the end, and the sounds that came with it."""
    known = set(bpy.data.sounds)
    try:
        yield
    finally:
        bpy.data.scenes.remove(scene)
        for sound in set(bpy.data.sounds) - known:
            bpy.data.sounds.remove(sound)


def empty(scene: Any) -> None:
    """Empty a copied scene, of which only the sound needs to be evaluated."""
    for child in list(scene.collection.children):
        scene.collection.children.unlink(child)
    for obj in list(scene.collection.objects):
        scene.collection.objects.unlink(obj)


def mix_down(scene: Any, first: int, last: int, name: str, path: Path) -> None:
    """Write what the scene plays from frame `first` to `last` to a WAV file, 16 bit, stereo. name:
    for messages. AudioError if Blender cannot mix it."""
    scene.frame_start, scene.frame_end = first, max(last, first)
    scene.render.ffmpeg.audio_mixrate = MIX_RATE
    try:
        with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="S16")
    except RuntimeError as error:
        raise AudioError(undecoded(name, str(error))) from None
    check_mixed(path, (scene.frame_end - scene.frame_start + 1) / frame_rate(scene), name)


def check_mixed(path: Path, seconds: float, name: str) -> None:
    """AudioError unless the WAV file is as long as what was to be mixed."""
    layout = wav_layout(path) if path.is_file() else None
    if layout is None or layout.length / layout.rate < COMPLETE * seconds:
        raise AudioError(f"{name} cannot be mixed down by this Blender; export it as WAV")


def loaded(path: Path) -> Waveform:
    mixed = load_wav(path)
    assert mixed is not None  # check_mixed has read its header
    return mixed


def loud(mixed: Waveform, mono: bool) -> Waveform:
    """Blender pans a mono source to two channels at equal power: each gets 1 / sqrt(2)."""
    return Waveform(mixed.samples * np.float32(np.sqrt(2))) if mono else mixed


def undecoded(name: str, error: str) -> str:
    reason = error.strip().splitlines()[-1].removeprefix("Error: ")
    return f"{name} cannot be decoded ({reason}); convert it to WAV"
