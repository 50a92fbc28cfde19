"""Decides which frames are computed for the visible heads, and shows them. The timer calls it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ...core.engine.background import Background, Finished, Task
from ...core.engine.cache.frames import Frame
from ...core.errors import CancelledError, EgsError
from ...core.records.gaussians import activate
from .. import engines
from ..controls.state import head_in_object
from ..gather import NOTHING, Loaded
from ..viewport import stage
from . import wanted
from .heads import FrameMoment, Head, find
from .sources import Sources
from .store import Store
from .work import Computed, compute

log = logging.getLogger(__name__)

UNSAVED = 64  # at most so many frames wait to be written to disk
SAVES = 2  # frames requested to be written at a time, after all others
SURVEY_SECONDS = 0.004  # of a tick, to read the moments of the frames that the bar shows
QUIET = 0.3  # seconds, at most, for which the playhead rests before its neighbours are computed
SMOOTHING = 0.3  # weight of the newest measurement in `Service.seconds`


class Service:
    """clock: returns seconds. seconds: time that the engine takes for a frame, smoothed; 0 before
    the first. error: of the last frame that failed, empty once a frame succeeded. waiting: a
    playhead has to rest longer before its neighbours are computed."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.background = Background()
        self.sources = Sources()
        self.heads: dict[stage.Key, Head] = {}
        self.seconds = 0.0
        self.error = ""
        self.waiting = False
        self._store = store
        self._unsaved: dict[str, Frame] = {}
        self._failed: set[str] = set()

    def close(self) -> None:
        self.background.close()

    def forget(self) -> None:
        """Drop all requests and heads, before another file is loaded."""
        self.background.want([])
        self.heads.clear()
        self.sources.keep(())

    def scan(self, scenes: list[tuple[Any, Any]]) -> None:
        """Find the visible avatars of these (scene, view layer) pairs again."""
        self._store.configure()
        self.heads = find(scenes, self.heads)
        stage.keep_scenes(self.heads)
        names = {name for h in self.heads.values() for name in (h.avatar_name, h.voice_name)}
        self.sources.keep(names)
        self._failed.clear()

    def head_of(self, scene: Any, obj: Any) -> Head | None:
        """The object as it is in this scene."""
        return self.heads.get(stage.key_of(obj, scene)) or self.heads.get(stage.key_of(obj))

    def loaded(self, scene: Any, obj: Any) -> Loaded:
        """Avatar and track of this object, as far as they are loaded and up to date."""
        head = self.head_of(scene, obj)
        return head.loaded(scene, obj) if head is not None else NOTHING

    def step(self, playing: bool) -> bool:
        """Take the finished frames, show the best one of each head, request the missing ones.
        True where the picture of a head changed. ReferenceError where an object was deleted since
        the scan."""
        self._take()
        changed, frames, self.waiting = False, [], False
        for head in self.heads.values():
            if not head.load(self.sources):
                changed |= self._mark_late(head)
                continue
            changed |= self._serve(head, playing)
            if not head.reason:
                frames.append(list(self._missing(head, playing)))
        self.background.want(
            [*self.sources.tasks(), *self._frame_tasks(_interleaved(frames)), *self._saves()]
        )
        return changed

    def survey(self) -> bool:
        """Read moments of the frame range, for SURVEY_SECONDS; False once all are read."""
        limit = self.clock() + SURVEY_SECONDS
        for head in self.heads.values():
            if head.sound is None or head.animation is None:
                continue
            first, last = wanted.frame_range(head.scene)
            while head.lookup <= last - first:
                if self.clock() > limit:
                    return True
                head.moment_at(first + head.lookup)
                head.lookup += 1
        return False

    # Results ----------------------------------------------------------------------------------

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
            # The first frame includes the engine's start, so a frame that takes less than half as
            # long replaces the average.
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
        return [Task(("save", key), partial(disk.put, key, frame)) for key, frame in some]

    # Display ---------------------------------------------------------------------------------

    def _serve(self, head: Head, playing: bool) -> bool:
        """Show the frame at the playhead if it is ready, else the last ready one that playback
        passed. True where the viewport changes."""
        try:
            head.read_playhead()
        except EgsError as error:
            head.reason = str(error)
            return self._mark_late(head)
        playhead = head.playhead
        playhead.follow(playing, self.clock(), head.fps)
        assert head.current is not None
        if head.current.key in self._store.memory:
            return self._put(head, head.current, stale=False)
        reach = 2 * self._lead(head) if playing else 0
        passed = wanted.nearest(
            playhead.number, playhead.direction, reach, lambda n: self._ready(head, n)
        )
        if passed is not None:
            return self._put(head, head.moments[passed], stale=True)
        return self._mark_late(head)

    def _lead(self, head: Head) -> int:
        return wanted.lead_of(self.seconds, head.playhead.speed)

    def _ready(self, head: Head, number: int) -> bool:
        at = head.moments.get(number)
        return at is not None and at.key in self._store.memory

    def _put(self, head: Head, at: FrameMoment, stale: bool) -> bool:
        key = at.key
        frame = self._store.memory.get(key)
        there = head.key in stage.shown()
        if frame is None or (there and (head.shown, head.stale) == (key, stale)):
            return False
        assert head.avatar is not None
        place = head_in_object(head.avatar, head.pose, at.moment.pose)
        stage.put(head.key, frame.splats(), stale, place)
        head.shown, head.stale = key, stale
        head.playhead.shown_at = self.clock()
        return True

    def _mark_late(self, head: Head) -> bool:
        if head.key not in stage.shown() and head.avatar is not None:
            # The head at rest, so that one just imported, or without a sound, can be placed.
            stage.put(head.key, activate(head.avatar.whole()), stale=True)
            head.shown, head.stale = "", True
            return True
        changed = head.key in stage.shown() and not head.stale
        stage.mark_stale(head.key)
        head.stale = True
        return changed

    # Requests --------------------------------------------------------------------------------

    def _frame_tasks(self, frames: list[tuple[Head, FrameMoment]]) -> list[Task]:
        """Empty where the preferences name no engine, or while a bake needs the whole process."""
        try:
            engine = engines.viewport_source()
        except EgsError as error:
            self.error = str(error)
            return []
        if engines.bake_needs_all():
            return []
        tasks = []
        for head, at in frames:
            if head.avatar is not None and head.sound is not None:
                given = (engine, self._store.disk, at.key, head.avatar, head.sound.track, at.moment)
                tasks.append(Task(at.key, partial(compute, *given)))
        return tasks

    def _missing(self, head: Head, playing: bool) -> Iterable[tuple[Head, FrameMoment]]:
        """Frames to compute, the most urgent first."""
        first, last = wanted.frame_range(head.scene)
        playhead = head.playhead
        number, direction = playhead.number, playhead.direction
        if playing:
            order = wanted.playing_order(number, direction, self._lead(head), first, last)
        else:
            order = wanted.resting_order(number, direction, first, last)
            # A frame that has begun cannot be cancelled, so a neighbour would delay the next
            # position of a scrub. After a click the next one follows once its frame was seen.
            since = playhead.moved_at if direction else max(playhead.moved_at, playhead.shown_at)
            waiting = self.clock() - since < min(QUIET, self.seconds)
            self.waiting |= waiting
            if waiting or (head.stale and not direction):
                order = order[:1]
        # More than fit would push out each other, and be computed again and again.
        order = order[: self._store.memory.room(len(self.heads))]
        found = [at for n in order if (at := head.moment_at(n)) is not None]
        # On a subframe, or without F-curves to read, only the current moment is known.
        certain = playing and head.moment_at(order[0]) is not None
        if head.current is not None and not certain:
            found.insert(0, head.current)
        seen: set[str] = set()
        for at in found:
            if at.key in seen or at.key in self._store.memory or at.key in self._failed:
                continue
            seen.add(at.key)
            yield head, at


def _interleaved(lists: list[list[tuple[Head, FrameMoment]]]) -> list[tuple[Head, FrameMoment]]:
    """The first item of each list, then the second of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [items[turn] for turn in range(longest) for items in lists if turn < len(items)]
