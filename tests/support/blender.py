"""Small inputs and helpers of the Blender tests."""

from __future__ import annotations

import os
import sys
import wave
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from core.audio.logmel import LogMel
from core.avatar.file import load_avatar, save_avatar
from core.records.audio_track import AudioTrack
from core.records.camera import viewmat_from_track
from core.records.feature_spec import FeatureSpec
from core.records.voice import Waveform
from tests.support.avatars import moving_avatar

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 56, 48
ROWS = 20


def make_avatar(path: Path, n: int = 200) -> Path:
    """A random talking head that moves, with a background, its principal point off the centre."""
    viewmats = [viewmat_from_track((0.02 * i, -0.01 * i, 0.1), (0.1, 0, -7.5)) for i in range(ROWS)]
    features = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()))
    centre, size = (29.5, 22.0), (WIDTH, HEIGHT)
    avatar = moving_avatar("tiny head", n, viewmats, centre, size, features, still=3, seed=3)
    save_avatar(avatar, path)
    return path


def write_wav(path: Path, samples: NDArray[Any], rate: int = 16000) -> Path:
    """samples (n,) or (n, channels) in [-1, 1], as 16 bit."""
    pcm = np.round(np.asarray(samples) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if pcm.ndim == 1 else pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return path


def voice(seconds: float, rate: int = 16000) -> NDArray[np.float64]:
    """A sweep whose loudness changes, so that every frame sounds different."""
    t = np.arange(round(seconds * rate)) / rate
    return 0.6 * np.sin(2 * np.pi * (200 + 300 * t) * t) * (0.55 + 0.45 * np.sin(9 * t))


def ramp(seconds: float, rate: int = 16000) -> NDArray[np.float64]:
    """The value is the time: 0 at the start, 0.9 at the end."""
    return 0.9 * np.arange(round(seconds * rate)) / round(seconds * rate)


def read_pixels(path: Path) -> NDArray[np.float32]:
    """(H, W, 4) as stored in the file, first row on top, read by Blender itself."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return values.reshape(height, width, 4)[::-1]


def read_png(path: Path) -> NDArray[np.uint8]:
    return np.round(read_pixels(path) * 255).astype(np.uint8)


def clean_environment(profile: Path, **values: str) -> dict[str, str]:
    """For a Blender in a process of its own."""
    return {**os.environ, "BLENDER_USER_RESOURCES": str(profile), **values}


def python_here(*args: object) -> Sequence[str]:
    return [sys.executable, *(str(arg) for arg in args)]


def job_of(obj: Any, instance: str = "") -> Any:
    """The BakeJob that the operator would hand to an engine."""
    from egstalker.egstalker_blender.gather import bake_job, read_settings

    settings = read_settings(bpy.context.scene, obj, instance=instance)
    return bake_job(bpy.context, obj, settings)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def waveform_of_strip(window: Any) -> Waveform:
    """What a strip plays, decoded as for an engine."""
    from egstalker.core.audio.files import decoded
    from egstalker.egstalker_blender.sound.voice import decoded_voice, voice_from

    return decoded(decoded_voice(voice_from(window)))


def track_of_job(obj: Any) -> AudioTrack:
    """The features that an engine computes for the BakeJob of the object."""
    from egstalker.core.audio.features import track_for

    job = job_of(obj)
    return track_for(load_avatar(job.avatar_path), job.voice)
