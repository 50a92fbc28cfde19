"""Mixes the sound of a scene, in a Blender of its own (jobs/second_runs.py).

The job is what elsewhere.py writes. Of a whole sound file it prints `whole LAST MONO`: the last
frame, and 1 if it has one channel.
"""

from __future__ import annotations

from typing import Any

import bpy


def run(job: dict[str, Any]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    if job["scene"]:
        with bpy.data.libraries.load(job["source"], link=False) as (_, here):
            here.scenes = [job["scene"]]
        (scene,) = here.scenes
    else:
        scene.render.fps, scene.render.fps_base = job["fps"], job["fps_base"]
        strips = scene.sequence_editor_create().strips
        strip = strips.new_sound("voice", job["source"], 1, job["begin"])
        if job["last"] is None:
            handle = "right_handle" if hasattr(strip, "right_handle") else "frame_final_end"
            job["last"] = max(int(getattr(strip, handle)) - 1, job["first"])
        mono = strip.sound.channels == "MONO"
        print(f"whole {job['last']} {int(mono)}", flush=True)
    scene.frame_start, scene.frame_end = job["first"], job["last"]
    scene.render.ffmpeg.audio_mixrate = job["rate"]
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        bpy.ops.sound.mixdown(filepath=job["output"], container="WAV", codec="PCM", format="S16")
