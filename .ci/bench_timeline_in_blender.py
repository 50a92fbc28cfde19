"""Latency of the demo avatar's frames in Blender, and the share of playback that is in time.

Run by a Python with bpy: `.venv-blender-5.2/bin/python .ci/bench_timeline_in_blender.py [PYTHON]`;
PYTHON runs the worker; without it the built-in engine computes. There is no window: a clock moves
the scene at 25 frames a second, as playback with sync does, and the loop that computes frames runs
as often as Blender's timer would call it.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bench_viewport_in_blender import load_extension

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "egstalker_blender" / "assets"
FPS, SECONDS, LAST = 25, 10, 192
SCRUB = (150, 40, 100, 70, 180, 20, 130, 60, 160, 90)
PATIENCE = 60.0  # seconds for one frame


def module(name: str) -> Any:
    return importlib.import_module(f"egstalker.egstalker_blender.{name}")


class Bench:
    def __init__(self) -> None:
        self.timer = module("timeline.timer")
        self.stopwatch = module("timeline.stopwatch").stopwatch
        self.store, self.stage = module("timeline.store").store, module("viewport.stage")
        budget = module("preferences").CacheBudget(1024, 0, None)  # no disk: nothing is cached yet
        module("preferences").cache_budget = lambda: budget
        self.scene = bpy.context.scene
        self.scene.render.fps, self.scene.frame_end = FPS, LAST
        bpy.ops.egstalker.import_avatar(filepath=str(ASSETS / "demo.egs"))
        self.uid = bpy.context.object.session_uid
        bpy.ops.egstalker.link_sound_file(filepath=str(ASSETS / "demo.wav"))
        bpy.context.view_layer.update()

    def ready(self) -> bool:
        shown = self.stage.shown().get(self.uid)
        return shown is not None and not shown.stale

    def go(self, number: int) -> float:
        """Milliseconds from the change of the frame until its splats are on the stage."""
        start = time.perf_counter()
        self.scene.frame_set(number)
        self.timer.tick()
        while not self.ready():
            if time.perf_counter() - start > PATIENCE:
                raise TimeoutError(f"frame {number} was not ready in {PATIENCE:g} s")
            time.sleep(self.timer.BUSY)
            self.timer.tick()
        return (time.perf_counter() - start) * 1e3

    def play(self) -> Counter[str]:
        """Play for SECONDS, count frames. exact: ready when the playhead came to it; late: a frame
        at most 0.2 s earlier was shown; old: an even earlier one. skipped: by the playback."""
        found: Counter[str] = Counter()
        self.timer.is_playing = lambda: True
        start, last = time.perf_counter(), -1
        self.stopwatch.reset()
        while (now := time.perf_counter() - start) < SECONDS:
            if (position := int(now * FPS)) == last:
                self.timer.tick()
                time.sleep(max(0.0, min(self.timer.BUSY, (last + 1) / FPS - now)))
                continue
            found["skipped"] += position - last - 1
            last = position
            self.scene.frame_set(1 + position % LAST)
            self.timer.tick()
            found[self._outcome()] += 1
        self.timer.is_playing = lambda: False
        return found

    def _outcome(self) -> str:
        head = self.timer.service().heads[self.uid]
        if not head.stale:
            return "exact"
        near = range(head.playhead.number - FPS // 5, head.playhead.number)
        keys = {head.moments[number].key for number in near if number in head.moments}
        return "late" if head.shown in keys else "old"


def main() -> None:
    if len(sys.argv) > 1:
        os.environ["EGSTALKER_WORKER_PYTHON"] = str(Path(sys.argv[1]).absolute())
    load_extension()
    bench = Bench()
    first = bench.go(1)
    print(f"Blender {bpy.app.version_string}, {module('engines').status_line()}, load", end=" ")
    print(f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown")
    print(f"import to the first frame: {first:.0f} ms")
    for name in ("computed", "kept"):
        print(f"frame change to splats, {name}: {np.median([bench.go(n) for n in SCRUB]):.1f} ms")
    bench.store.memory.clear()
    for name in ("cold", "again"):
        found = bench.play()
        counts = ", ".join(f"{kind} {found[kind]}" for kind in ("exact", "late", "old", "skipped"))
        longest = bench.stopwatch.longest["tick"] * 1e3
        print(f"play {SECONDS} s at {FPS}, {name}: {counts}; longest tick {longest:.1f} ms")
    megabytes, count = bench.store.megabytes()[0], len(bench.store.memory)
    print(f"cache: {count} frames, {megabytes / count:.2f} MB each")
    sys.stdout.flush()
    os._exit(0)  # Blender as a module can hang at exit


if __name__ == "__main__":
    main()
