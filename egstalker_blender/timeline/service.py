"""What is wanted for the heads of the session, and what is shown of it. Called by the pump."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from ...core.engine.background import Background, Finished, Task
from ...core.engine.cache.frames import Frame
from ...core.engine.interface import Engine
from ...core.errors import CancelledError, EgsError
from ...core.records.gaussians import activate
from .. import engines
from ..gather import NOTHING, Loaded
from ..viewport import stage
from . import wanted
from .heads import Head, Known, find
from .sources import Sources
from .store import Store
from .work import Computed, computing, saving

log = logging.getLogger(__name__)

UNSAVED = 64  # frames that wait for the disk at most
SAVES = 2  # frames written at a time, when nothing else is to be done
SURVEY_SECONDS = 0.004  # of a tick, for the moments of frames that the bar shows
QUIET = 0.3  # seconds at most that a playhead rests before its neighbours are computed
SMOOTHING = 0.3  # share of the newest measurement in the time that a frame takes


class Service:
    """seconds: that a frame takes the engine, smoothed; 0 before the first. error: of the last
    frame that failed, empty when one succeeded since."""

    def __init__(self, store: Store) -> None:
        self.background = Background()
        self.sources = Sources()
        self.heads: dict[int, Head] = {}
        self.seconds = 0.0
        self.error = ""
        self.waiting = False  # for a playhead to come to rest
        self._store = store
        self._unsaved: dict[str, Frame] = {}
        self._failed: set[str] = set()

    def close(self) -> None:
        self.background.close()

    def forget(self) -> None:
        """The file is closed: nothing of it is asked for any more."""
        self.background.want([])
        self.heads.clear()
        self.sources.keep(())

    def scan(self, scenes: list[tuple[Any, Any]]) -> None:
        """Look at the visible avatars of these scenes and view layers again."""
        self._store.configure()
        self.heads = find(scenes, self.heads)
        names = {name for h in self.heads.values() for name in (h.avatar_name, h.voice_name)}
        self.sources.keep(names)
        self._failed.clear()

    def loaded(self, scene: Any, obj: Any) -> Loaded:
        """What is loaded of this object as it is now, and can be used again."""
        head = self.heads.get(obj.session_uid)
        return head.loaded(scene, obj) if head is not None else NOTHING

    def step(self, playing: bool) -> bool:
        """Take what is ready, show the best of it, say what is wanted. True where a head changed.
        ReferenceError where an object was deleted since the scan."""
        self._take()
        engine = _engine()
        changed, frames, self.waiting = False, [], False
        for head in self.heads.values():
            if not head.load(self.sources):
                changed |= self._late(head)
                continue
            changed |= self._serve(head, playing)
            if not head.reason:
                frames.append(list(self._missing(head, playing)))
        if isinstance(engine, str) or engines.bake_needs_all():
            self.error = engine if isinstance(engine, str) else self.error
            frames = []
        disk = self._store.disk
        tasks = [
            Task(at.key, computing(engine, disk, at.key, head.avatar, head.sound.track, at.moment))
            for head, at in _in_turns(frames)
            if not isinstance(engine, str) and head.avatar and head.sound
        ]
        self.background.want([*self.sources.tasks(), *tasks, *self._saves()])
        return changed

    def survey(self) -> bool:
        """The moments of a few more frames of the range; False where all are known."""
        limit = time.perf_counter() + SURVEY_SECONDS
        for head in self.heads.values():
            if head.sound is None or head.animation is None:
                continue
            first, last = wanted.frame_range(head.scene)
            while head.surveyed < last - first:
                if time.perf_counter() > limit:
                    return True
                head.surveyed += 1
                head.at(first + head.surveyed)
        return False

    # What came --------------------------------------------------------------------------------

    def _take(self) -> None:
        for done in self.background.take():
            if self.sources.finish(done):
                continue
            if isinstance(done.value, Computed):
                self._keep(str(done.name), done.value, done.seconds)
            elif done.error is not None and not isinstance(done.error, CancelledError):
                self._fail(done)

    def _keep(self, key: str, computed: Computed, seconds: float) -> None:
        self._store.memory.put(key, computed.frame)
        self.error = ""
        if computed.new:
            # The first frame starts the engine: one that takes half as long is the measure now.
            share = SMOOTHING if seconds > self.seconds / 2 > 0 else 1.0
            self.seconds += share * (seconds - self.seconds)
            self._unsaved[key] = computed.frame
            while len(self._unsaved) > UNSAVED:
                del self._unsaved[next(iter(self._unsaved))]

    def _fail(self, done: Finished) -> None:
        if not isinstance(done.error, EgsError):
            log.error("a frame could not be computed", exc_info=done.error)
        if isinstance(done.name, str):
            self._failed.add(done.name)
        self.error = str(done.error) or type(done.error).__name__

    def _saves(self) -> list[Task]:
        disk = self._store.disk
        if disk is None or disk.reason:
            self._unsaved.clear()
            return []
        for key in [key for key in self._unsaved if key in disk]:
            del self._unsaved[key]
        some = list(self._unsaved.items())[:SAVES]
        return [Task(("save", key), saving(disk, key, frame)) for key, frame in some]

    # What is shown ----------------------------------------------------------------------------

    def _serve(self, head: Head, playing: bool) -> bool:
        """The frame itself where it is ready, else the last one that playback passed. True where
        the viewport changes."""
        try:
            head.look()
        except EgsError as error:
            head.reason = str(error)
            return self._late(head)
        if head.frame != head.before:
            now = time.perf_counter()
            if head.speed:
                step, seconds = head.frame - head.before, now - head.moved
                head.speed = wanted.speed_of(head.speed, step, seconds, head.fps)
            head.moved = now
        head.speed = (head.speed or head.fps) if playing else 0.0
        head.direction = wanted.direction_of(head.before, head.frame, head.direction, playing)
        head.before = head.frame
        assert head.current is not None
        if head.current.key in self._store.memory:
            return self._put(head, head.current.key, stale=False)
        reach = 2 * self._lead(head) if playing else 0
        passed = wanted.nearest(head.number, head.direction, reach, lambda n: self._ready(head, n))
        if passed is not None:
            return self._put(head, head.known[passed].key, stale=True)
        return self._late(head)

    def _lead(self, head: Head) -> int:
        return wanted.lead_of(self.seconds, head.speed)

    def _ready(self, head: Head, number: int) -> bool:
        known = head.known.get(number)
        return known is not None and known.key in self._store.memory

    def _put(self, head: Head, key: str, stale: bool) -> bool:
        frame = self._store.memory.get(key)
        there = head.uid in stage.shown()
        if frame is None or (there and (head.shown, head.stale) == (key, stale)):
            return False
        stage.put(head.uid, frame.splats(), stale)
        head.shown, head.stale = key, stale
        head.ready = time.perf_counter()
        return True

    def _late(self, head: Head) -> bool:
        if head.uid not in stage.shown() and head.avatar is not None:
            # At rest, so that a head that was just imported, or has no sound, can be placed.
            stage.put(head.uid, activate(head.avatar.gaussians), stale=True)
            head.shown, head.stale = "", True
            return True
        changed = head.uid in stage.shown() and not head.stale
        stage.mark_stale(head.uid)
        head.stale = True
        return changed

    # What is missing --------------------------------------------------------------------------

    def _missing(self, head: Head, playing: bool) -> Iterable[tuple[Head, Known]]:
        """Frames that are not in memory, the most wanted first."""
        first, last = wanted.frame_range(head.scene)
        if playing:
            lead = self._lead(head)
            order = wanted.playing_order(head.number, head.direction, lead, first, last)
        else:
            order = wanted.resting_order(head.number, head.direction, first, last)
            # What is begun is finished: a neighbour would hold up the next position of a scrub.
            # After a click somewhere, any other may follow as soon as its frame is seen.
            quiet = head.moved if head.direction else max(head.moved, head.ready)
            waiting = time.perf_counter() - quiet < min(QUIET, self.seconds)
            self.waiting |= waiting
            if waiting or (head.stale and not head.direction):
                order = order[:1]
        found = [at for number in order if (at := head.at(number)) is not None]
        # Where only Blender knows what comes, or between two frames, there is this moment alone.
        certain = playing and head.at(order[0]) is not None
        if head.current is not None and not certain:
            found.insert(0, head.current)
        seen: set[str] = set()
        for at in found:
            if at.key in seen or at.key in self._store.memory or at.key in self._failed:
                continue
            seen.add(at.key)
            yield head, at


def _engine() -> Callable[[], Engine] | str:
    """What opens the engine, or why there is none."""
    try:
        return engines.viewport_source()
    except EgsError as error:
        return str(error)


def _in_turns(lists: list[list[tuple[Head, Known]]]) -> list[tuple[Head, Known]]:
    """The first of every head, then the second of every head, and so on."""
    longest = max(map(len, lists), default=0)
    return [items[turn] for turn in range(longest) for items in lists if turn < len(items)]
