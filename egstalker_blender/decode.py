"""Any sound file that Blender can decode, as the core's Waveform."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..core.audio.wav import load_wav
from ..core.audio.waveform import Waveform, check_layout, from_samples
from ..core.errors import AudioError
from .strips import add_strip, right_handle

MIX_FPS = 100  # frames a second of the scene that a file is mixed down in: 10 ms steps


def waveform_of_file(path: Path) -> Waveform:
    """Plain WAV is read by the core, so that Blender and the command line get the same numbers;
    everything else is decoded by Blender. The samples stay as they are in the file: resampling is
    the core's. AudioError where the file is missing or cannot be decoded."""
    if not path.is_file():
        raise AudioError(f"sound file {str(path)!r} is not there; link it again")
    return load_wav(path) or _decode(path)


def waveform_of_bytes(data: bytes, name: str) -> Waveform:
    """A packed sound. `name` gives the suffix by which the decoder knows the format."""
    with tempfile.TemporaryDirectory(prefix="egstalker_") as folder:
        path = Path(folder) / f"packed{Path(name).suffix}"
        path.write_bytes(data)
        return waveform_of_file(path)


def _decode(path: Path) -> Waveform:
    try:
        import aud
    except ImportError:  # built without Audaspace's Python side, or for another numpy
        return decode_by_mixdown(path)
    try:
        sound = aud.Sound(str(path))
        rate, channels = sound.specs
        check_layout(sound.length, channels, rate, path.name)
        samples = sound.data()
    except aud.error as error:
        raise AudioError(f"{path.name} cannot be decoded ({error}); convert it to WAV") from None
    return from_samples(samples, rate, path.name)


def decode_by_mixdown(path: Path) -> Waveform:
    """The same through a scene of its own and Blender's mixdown, where there is no `aud`."""
    scene = bpy.data.scenes.new("egstalker_mixdown")
    known = set(bpy.data.sounds)
    try:
        waveform, sources = _mixed(scene, path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise AudioError(f"{path.name} cannot be decoded ({reason}); convert it to WAV") from None
    finally:
        bpy.data.scenes.remove(scene)
        for sound in set(bpy.data.sounds) - known:
            bpy.data.sounds.remove(sound)
    if waveform is None:
        raise AudioError(f"{path.name} cannot be decoded; convert it to WAV")
    # Blender pans a mono source to two channels at equal power: each gets 1 / sqrt(2).
    return Waveform(waveform.samples * np.float32(np.sqrt(2))) if sources == "MONO" else waveform


def _mixed(scene: Any, path: Path) -> tuple[Waveform | None, str]:
    """What the mixdown wrote, None where it wrote nothing; and the channels of the file."""
    scene.render.fps, scene.render.fps_base = MIX_FPS, 1.0
    strip = add_strip(scene, path, frame=0)
    scene.frame_start, scene.frame_end = 0, max(int(right_handle(strip)) - 1, 0)
    with tempfile.TemporaryDirectory(prefix="egstalker_") as folder:
        mixed = Path(folder) / "mixed.wav"
        with bpy.context.temp_override(scene=scene):
            bpy.ops.sound.mixdown(filepath=str(mixed), container="WAV", codec="PCM", format="S16")
        return load_wav(mixed) if mixed.is_file() else None, strip.sound.channels
