"""An afternoon of scrubbing: memory, handles, threads and the cache folder stay the same."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.timeline import store, timer
from egstalker.egstalker_blender.viewport import stage

from tests.support.blender import voice, write_wav
from tests.support.blender_timeline import LIMIT, Clock, budget, clock, service, settle
from tests.support.usage import table

__all__ = ["budget", "clock"]  # fixtures

FRAMES, CHANGES = 100, 20  # frames of the scene; changes of the frame between two measurements
AFTERNOON = bool(os.environ.get("EGSTALKER_AFTERNOON"))


@pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc")
def test_ten_thousand_frame_changes_over_three_heads(
    head: Any,
    scene: Any,
    clock: Clock,
    budget: Callable[..., None],
    avatar_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the handlers and the timer's function, as Blender calls them. The caches are too small for
    all frames of all heads. Without EGSTALKER_AFTERNOON=1 there are fewer changes."""
    monkeypatch.setattr(preferences, "engine_kind", lambda: "builtin")
    for number in (2, 3):
        bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
        sound = write_wav(tmp_path / f"voice{number}.wav", voice(4.0)[number * 1000 :])
        bpy.ops.egstalker.link_sound_file(filepath=str(sound))
    budget(memory_mb=2, disk_mb=2)
    scene.frame_start, scene.frame_end = 1, FRAMES
    timer.mark(data=True)
    settle()
    rng, shown = random.Random(1), set()

    def scrub() -> None:
        for _ in range(CHANGES):
            scene.frame_set(rng.randint(1, FRAMES))
            clock.advance(0.03)
            timer.tick()
        assert service().background.settle(LIMIT)
        timer.tick()
        shown.update(h.shown for h in service().heads.values() if not h.stale)

    rounds = 10_000 // CHANGES if AFTERNOON else 30
    for _ in range(100):  # until the caches are full, which takes more changes on a fast machine
        if store.store.megabytes()[1] > 1.9:
            break
        scrub()
    print(table(f"{CHANGES} frame changes, three heads", scrub, rounds, (tmp_path / "frames",)))
    assert len(service().heads) == len(stage.shown()) == 3 and len(shown) > 30
    memory, disk = store.store.megabytes()
    assert 0.5 < memory <= 2 and disk <= 2 and not store.store.reason
