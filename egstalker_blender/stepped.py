"""Operators whose work is done step by step, so that Blender goes on drawing."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..core.errors import EgsError
from ..core.records.progress import Progress

Steps = Generator[Progress, None, None]

TICK = 0.01  # seconds between two steps


class Stepped:
    """Mixin of a modal operator: `begin` starts the steps on a timer, Esc stops them. stopped,
    finished: reported at the end; `finished_text` may replace the second."""

    stopped = finished = ""

    report: Callable[[set[str], str], None]  # Blender's

    _steps: Steps | None = None
    _total = 0
    _timer: Any = None

    def finished_text(self) -> str:
        return self.finished

    def begin(self, context: Any, steps: Steps, total: int) -> set[str]:
        """total: of the progress, 0 if it is not known yet."""
        self._steps, self._total = steps, total
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK, window=context.window)
        manager.progress_begin(0, total)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        if event.type == "ESC":
            self.report({"WARNING"}, self.stopped)
            return self._end(context, "CANCELLED")
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            progress = next(self._steps, None) if self._steps else None
        except EgsError as error:
            self.report({"ERROR"}, str(error))
            return self._end(context, "CANCELLED")
        if progress is None:
            self.report({"INFO"}, self.finished_text())
            return self._end(context, "FINISHED")
        if progress.total != self._total:
            self._total = progress.total
            context.window_manager.progress_begin(0, progress.total)
        context.window_manager.progress_update(progress.done)
        if progress.note or progress.number is not None or progress.stage != "frames":
            what = "frame" if progress.stage == "frames" else "encoding frame"
            text = progress.note or f"{what} {progress.done} of {progress.total}"
            context.workspace.status_text_set(f"EGSTalker: {text}   Esc stops")
        return {"RUNNING_MODAL"}

    def cancel(self, context: Any) -> None:
        """Called by Blender when it quits or opens another file."""
        self._end(context, "CANCELLED")

    def _end(self, context: Any, result: str) -> set[str]:
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            context.window_manager.progress_end()
            self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        return {result}
