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
        self.pump, self.meter = module("timeline.pump"), module("timeline.meter").meter
        self.store, self.stage = module("timeline.store").store, module("viewport.stage")
        budget = module("preferences").CacheBudget(
            1024, 0, None
        )  # no disk, so no frame is cached before
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
        self.pump.tick()
        while not self.ready():
            if time.perf_counter() - start > PATIENCE:
                raise TimeoutError(f"frame {number} was not ready in {PATIENCE:g} s")
            time.sleep(self.pump.BUSY)
            self.pump.tick()
        return (time.perf_counter() - start) * 1e3

    def play(self) -> Counter[str]:
        """Play ten seconds by the clock. exact: the frame was ready when the playhead reached it;
        late: one at most 0.2 s older was shown; old: a still older one. skipped: by the clock."""
        found: Counter[str] = Counter()
        self.pump.is_playing = lambda: True
        start, last = time.perf_counter(), -1
        self.meter.reset()
        while (now := time.perf_counter() - start) < SECONDS:
            if (position := int(now * FPS)) == last:
                self.pump.tick()
                time.sleep(max(0.0, min(self.pump.BUSY, (last + 1) / FPS - now)))
                continue
            found["skipped"] += position - last - 1
            last = position
            self.scene.frame_set(1 + position % LAST)
            self.pump.tick()
            found[self._outcome()] += 1
        self.pump.is_playing = lambda: False
        return found

    def _outcome(self) -> str:
        head = self.pump.service().heads[self.uid]
        if not head.stale:
            return "exact"
        near = range(head.number - FPS // 5, head.number)
        keys = {head.known[number].key for number in near if number in head.known}
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
        longest = bench.meter.longest["tick"] * 1e3
        print(f"play {SECONDS} s at {FPS}, {name}: {counts}; longest tick {longest:.1f} ms")
    megabytes, count = bench.store.megabytes()[0], len(bench.store.memory)
    print(f"cache: {count} frames, {megabytes / count:.2f} MB each")
    sys.stdout.flush()
    os._exit(0)  # Blender as a module can hang at exit


if __name__ == "__main__":
    main()
