"""Films read back by Blender's own readers: how many pictures, what they show, what is heard."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from core.audio.files import load_waveform
from tests.support.blender import read_png

RATE = 16000


def clip(film: Path) -> tuple[int, float, tuple[int, int]]:
    """Number of pictures, pictures per second, size."""
    loaded = bpy.data.movieclips.load(str(film))
    found = loaded.frame_duration, loaded.fps, tuple(loaded.size)
    bpy.data.movieclips.remove(loaded)
    return found


def picture(film: Path, frame: int, folder: Path) -> NDArray[np.uint8]:
    """(H, W, 4) of the frame, counted from 1, over nothing."""
    _, fps, (width, height) = clip(film)
    scene = bpy.data.scenes.new("film")
    scene.render.fps = round(fps)  # else Blender would resample the film
    strips = scene.sequence_editor_create().strips
    strip = strips.new_movie("film", str(film), 1, 1)
    strip.blend_type = "ALPHA_OVER"
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    scene.view_settings.view_transform = "Standard"
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
    render.filepath = str(folder / "picture_")
    scene.frame_start = scene.frame_end = frame
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    return read_png(folder / f"picture_{frame:04d}.png")


def heard(film: Path, folder: Path, count: int, fps: int = 25) -> NDArray[np.float32]:
    """The sound of the first `count` frames, mono at RATE."""
    scene, sounds = bpy.data.scenes.new("film"), set(bpy.data.sounds)
    scene.render.fps = fps
    scene.sequence_editor_create().strips.new_sound("film", str(film), 1, 1)
    scene.frame_start, scene.frame_end = 1, count
    scene.render.ffmpeg.audio_mixrate = RATE
    path = folder / "heard.wav"
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="S16")
    bpy.data.scenes.remove(scene)
    for sound in set(bpy.data.sounds) - sounds:
        bpy.data.sounds.remove(sound)
    return load_waveform(path).samples


def boxes(film: Path) -> dict[bytes, bytes]:
    """The top-level boxes of an MP4, kind -> content."""
    data, found, at = film.read_bytes(), {}, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert size >= 8
        found[kind] = data[at + 8 : at + size]
        at += size
    return found


def state_of(scene: Any) -> dict[str, Any]:
    """What a film must not change of the user's scene and file."""
    render, editor = scene.render, scene.sequence_editor
    return {
        "scenes": [each.name for each in bpy.data.scenes],
        "sounds": sorted(each.name for each in bpy.data.sounds),
        "range": (scene.frame_start, scene.frame_end, scene.frame_current),
        "output": (render.filepath, render.image_settings.file_format, render.fps),
        "strips": [
            (each.name, each.type, each.mute, each.channel)
            for each in (editor.strips_all if editor else ())
        ],
    }


def write_voice(scene: Any, head: Any, first: int, last: int, path: Path) -> bool:
    """False if the head has no sound. The second Blender mixes what was read, and nothing else."""
    # Here, because a Blender without the extension uses the readers above.
    from egstalker.egstalker_blender.film.voice import voice_of
    from egstalker.egstalker_blender.sound.elsewhere import mix_steps

    before = state_of(scene)
    voice = voice_of(scene, head, first, last, path.parent)
    assert state_of(scene) == before
    if voice is None:
        return False
    if voice.scene:
        with bpy.data.libraries.load(str(voice.source)) as (there, _):
            assert not there.objects and not there.images and not there.volumes
    assert sum(1 for _ in mix_steps(voice, path)) > 1  # it yields while it waits
    return True
