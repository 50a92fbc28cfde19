"""A Blender that scrubs and bakes, with a cache of frames on disk that others may share:
`python -m tests.support.blender_sharing PLACE CACHE SEED`. PLACE: a folder of its own with head.egs
and voice.wav. Writes PLACE/out and PLACE/shown.json, the digest of the head at each frame."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from pathlib import Path

import bpy

from tests.blender.conftest import batch  # loads the extension, in a profile of its own

FRAMES = 40


def main(place: Path, cache: Path, seed: int) -> None:
    from egstalker.egstalker_blender import engines, preferences
    from egstalker.egstalker_blender.timeline import timer

    from tests.support.blender_timeline import Clock, settle, shown

    assert batch is not None
    # Less than the frames need, on disk and in memory.
    preferences.cache_budget = lambda: preferences.CacheBudget(1, 1, cache)
    preferences.engine_kind = lambda: "builtin"
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 25, 1, FRAMES
    bpy.ops.egstalker.import_avatar(filepath=str(place / "head.egs"))
    head = bpy.context.object
    bpy.ops.egstalker.link_sound_file(filepath=str(place / "voice.wav"))
    head.egstalker.output_path = str(place / "out")
    timer.unregister()
    timer.register(Clock())
    timer.mark(data=True)
    digests = {}
    for frame in random.Random(seed).sample(range(1, FRAMES + 1), FRAMES):
        scene.frame_set(frame)
        settle()
        splats = shown(head).splats
        parts = splats.means, splats.quats, splats.scales, splats.opacities, splats.sh
        digests[frame] = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    bpy.ops.egstalker.bake()
    (place / "shown.json").write_text(json.dumps(digests, sort_keys=True))
    engines.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.flush()
    os._exit(0)  # Blender can hang at exit
