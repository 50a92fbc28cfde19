"""The Blender half of the demo: install, enable, import, link, bake, encode the film.

It runs under a Python with bpy, and uses the operators that a user has.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

MARK = "demo| "  # prefix of the lines that the driver shows
EXTENSION = "bl_ext.user_default.egstalker"
FRAMES_PER_SECOND = 25


class DemoError(Exception):
    """One line about the step that failed."""


def say(text: str) -> None:
    print(f"{MARK}{text}", flush=True)


def install(archive: Path) -> Path:
    """Install and enable the zip, as if it were dropped on the window. Returns its folder."""
    import addon_utils
    import bpy

    if not addon_utils.check("bl_pkg")[1]:
        addon_utils.enable("bl_pkg", default_set=True)
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True
    )
    if not addon_utils.check(EXTENSION)[1]:
        raise DemoError(f"{EXTENSION} is not enabled after the install")
    return Path(sys.modules[EXTENSION].__file__ or "").parent


def finish(result: set[str], step: str) -> None:
    if result != {"FINISHED"}:
        raise DemoError(f"{step} ended with {sorted(result)}")


def bake(args: argparse.Namespace, folder: Path, frames: Path) -> Path:
    """Import, link and bake with the bundled files unless others are named; returns the speech."""
    import bpy

    assets = folder / "egstalker_blender" / "assets"
    avatar = args.avatar or assets / "demo.egs"
    speech: Path = args.speech or assets / "demo.wav"
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = FRAMES_PER_SECOND, 1.0

    say(f"import {avatar.name}")
    finish(bpy.ops.egstalker.import_avatar(filepath=str(avatar)), "import")
    say(f"link {speech.name}")
    finish(bpy.ops.egstalker.link_sound_file(filepath=str(speech)), "link")
    settings = bpy.context.object.egstalker
    settings.range_source = "SOUND"
    settings.output_path = str(frames)
    say(f"bake, engine {args.engine}")
    start = time.monotonic()
    finish(bpy.ops.egstalker.bake(engine=args.engine), "bake")
    count = len(list(frames.glob("*.png")))
    if not count:
        raise DemoError(f"the bake wrote no frame into {frames}")
    seconds = time.monotonic() - start
    say(f"  {count} frames in {seconds:.1f} s ({seconds / count * 1000:.0f} ms each)")
    engines = sys.modules[f"{EXTENSION}.egstalker_blender.engines"]
    say(f"  engine: {engines.status_line()}")
    return speech


def make_film(frames: list[Path], speech: Path, film: Path) -> None:
    """Frames and speech through Blender's sequencer: H.264 and AAC, colours as in the files."""
    import bpy

    scene = bpy.data.scenes.new("Film")
    editor = scene.sequence_editor_create()
    pictures = editor.strips.new_image("frames", str(frames[0]), channel=1, frame_start=1)
    for path in frames[1:]:
        pictures.elements.append(path.name)
    editor.strips.new_sound("speech", str(speech), channel=2, frame_start=1)
    scene.frame_start, scene.frame_end = 1, len(frames)

    image = bpy.data.images.load(str(frames[0]))
    render = scene.render
    render.resolution_x, render.resolution_y = image.size
    render.resolution_percentage = 100
    render.fps, render.fps_base = FRAMES_PER_SECOND, 1.0
    scene.view_settings.view_transform = "Standard"
    render.dither_intensity = 0.0
    _set_format(render)
    render.filepath = str(film)
    finish(bpy.ops.render.render(animation=True, scene=scene.name), "film")

    clip = bpy.data.movieclips.load(str(film))
    if clip.frame_duration != len(frames) or tuple(clip.size) != tuple(image.size):
        raise DemoError(
            f"{film.name} has {clip.frame_duration} frames of {tuple(clip.size)}"
            f" instead of {len(frames)} of {tuple(image.size)}"
        )


def _set_format(render: Any) -> None:
    if hasattr(render.image_settings, "media_type"):  # from Blender 5.0
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.audio_codec = "AAC"
    render.ffmpeg.audio_bitrate = 160


def run(args: argparse.Namespace) -> None:
    import bpy

    out: Path = args.out
    say(f"Blender {bpy.app.version_string}: install {args.zip.name}")
    folder = install(args.zip)
    speech = bake(args, folder, out / "frames")
    say("film")
    make_film(sorted((out / "frames").glob("*.png")), speech, out / "demo.mp4")
    bpy.ops.preferences.addon_disable(module=EXTENSION)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--avatar", type=Path)
    parser.add_argument("--speech", type=Path)
    args = parser.parse_args()
    try:
        run(args)
    except (DemoError, RuntimeError) as error:  # RuntimeError: an operator reported an error
        print(f"error: {str(error).strip()}", flush=True)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The module may hang in static destructors when the interpreter ends by itself.
    os._exit(status)
