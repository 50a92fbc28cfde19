"""Sound by Blender's own mixdown: retimed strips, files that nothing else decodes, and the voice of
a film (film/voice.py).

The mixdown runs in a temporary scene: the user's scenes are not changed.
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
from ...core.system.leftovers import temporary_folder
from .windows import StripWindow, add_strip, frame_rate, is_mono, isolate, right_handle

MIX_FPS = 100  # frames per second of the temporary scene for a file: 10 ms steps
MIX_RATE = 48000
COMPLETE = (
    0.9  # share of the range; some builds of Blender report success and write next to nothing
)


def mixed_strip(window: StripWindow) -> Waveform:
    """The sound of a retimed strip between its handles, mixed here: this blocks until it is done.
    AudioError if Blender cannot mix it."""
    with alone(window) as scene:
        mixed = _mixed(scene, *range_of(window), window.name)
        return loud(mixed, is_mono(scene, window.name))


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


def mixed_file(path: Path) -> Waveform:
    """A sound file for which there is no other decoder. AudioError if it cannot be decoded."""
    scene = bpy.data.scenes.new("egstalker_mixdown")
    with removed(scene):
        scene.render.fps, scene.render.fps_base = MIX_FPS, 1.0
        try:
            strip = add_strip(scene, path, frame=0)
        except RuntimeError as error:
            raise AudioError(undecoded(path.name, str(error))) from None
        mixed = _mixed(scene, 0, max(int(right_handle(strip)) - 1, 0), path.name)
        return loud(mixed, is_mono(scene, strip.name))


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


def _mixed(scene: Any, first: int, last: int, name: str) -> Waveform:
    with temporary_folder() as folder:
        path = Path(folder) / "mixed.wav"
        mix_down(scene, first, last, name, path)
        return loaded(path)


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
