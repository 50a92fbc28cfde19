"""Mixes the sound of a scene, in a Blender of its own.

    blender -b --factory-startup --python mixer.py -- JOB.json
    python mixer.py -- JOB.json                        (with bpy importable)

The job is what elsewhere.py writes. Prints one line `error: ...` where it fails. It imports
nothing of the extension, which this Blender may not have enabled.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import bpy


def mix(job: dict[str, Any]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    if job["scene"]:
        with bpy.data.libraries.load(job["source"], link=False) as (_, here):
            here.scenes = [job["scene"]]
        (scene,) = here.scenes
    else:
        strips = scene.sequence_editor_create().strips
        strips.new_sound("voice", job["source"], 1, job["begin"])
        scene.render.fps, scene.render.fps_base = job["fps"], job["fps_base"]
    scene.frame_start, scene.frame_end = job["first"], job["last"]
    scene.render.ffmpeg.audio_mixrate = job["rate"]
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        bpy.ops.sound.mixdown(filepath=job["output"], container="WAV", codec="PCM", format="S16")


def main(argv: list[str]) -> int:
    try:
        mix(json.loads(Path(argv[-1]).read_text(encoding="utf-8")))
    except (RuntimeError, OSError) as error:  # of Blender's operators and of its reader of files
        text = " ".join(str(error).removeprefix("Error: ").split())
        print(f"error: {text}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender's own shutdown can hang on its sound device
