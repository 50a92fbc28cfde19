"""Encodes pictures and a sound as a film, in a Blender of its own (jobs/second_runs.py). The job is
what encode.py writes. Prints `film N` after each frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

FORMATS = {"mp4": ("MPEG4", "H264", "AAC"), "webm": ("WEBM", "WEBM", "OPUS")}
STRIP_LENGTH = 1000  # pictures; adding one takes longer the more a strip has
BACKDROP, PICTURES, VOICE = 1, 2, 3  # channels


def run(job: dict[str, Any]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render = scene.render
    render.fps, render.fps_base = job["fps"], job["fps_base"]
    render.resolution_x, render.resolution_y = job["width"], job["height"]
    render.resolution_percentage = 100
    scene.frame_start, scene.frame_end = 1, len(job["pictures"])
    # The pictures' own values: no view transform, blended as they are encoded.
    scene.view_settings.view_transform = "Standard"
    scene.sequencer_colorspace_settings.name = "sRGB"
    place_strips(scene, job)
    choose_format(render, job)
    render.use_compositing = False
    render.use_file_extension = False
    render.filepath = job["output"]
    bpy.app.handlers.render_write.append(report)
    bpy.ops.render.render(animation=True)


def place_strips(scene: Any, job: dict[str, Any]) -> None:
    strips, pictures = scene.sequence_editor_create().strips, job["pictures"]
    if not job["alpha"]:
        length = {"length": len(pictures)}
        if bpy.app.version < (5, 0):
            length = {"frame_end": 1 + len(pictures)}
        black = strips.new_effect("backdrop", "COLOR", BACKDROP, frame_start=1, **length)
        black.color = (0, 0, 0)
    for first in range(0, len(pictures), STRIP_LENGTH):
        paths = [Path(path) for path in pictures[first : first + STRIP_LENGTH]]
        strip = strips.new_image(
            f"frames {first}", str(paths[0]), PICTURES, 1 + first, fit_method="ORIGINAL"
        )
        for path in paths[1:]:
            strip.elements.append(path.name)
        strip.blend_type = "ALPHA_OVER"
    if job["sound"]:
        strips.new_sound("voice", job["sound"], VOICE, 1)


def choose_format(render: Any, job: dict[str, Any]) -> None:
    container, codec, audio = FORMATS[job["kind"]]
    settings, ffmpeg = render.image_settings, render.ffmpeg
    if hasattr(settings, "media_type"):  # since 5.0
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    ffmpeg.format, ffmpeg.codec = container, codec
    ffmpeg.constant_rate_factor = "PERC_LOSSLESS"
    settings.color_mode = "RGBA" if job["alpha"] else "RGB"  # the codec decides what there is
    ffmpeg.audio_codec = audio if job["sound"] else "NONE"
    ffmpeg.audio_mixrate, ffmpeg.audio_channels = 48000, "STEREO"
    for name in render.bl_rna.properties.keys():  # noqa: SIM118 - Blender's collection
        if name.startswith("use_stamp"):  # date, time and host would go into the file
            setattr(render, name, False)


def report(scene: Any, *_: Any) -> None:
    try:
        print(f"film {scene.frame_current}", flush=True)
    except OSError:  # nobody waits for this film any more
        os._exit(1)
