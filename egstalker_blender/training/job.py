"""The training as a job: its saved state remains, however it ends. No bpy."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...core.engine.process import worker_environment
from ...core.errors import OutputError
from ...core.system.files import reason
from ..jobs.command import Clock, OnLine, Place, Step
from ..jobs.job import Job
from .news import News, folded, parse
from .plan import LOG

STOP_PATIENCE = 60.0  # seconds to finish a step and save, before the process is ended


class Training(Job):
    """The commands of `plan.steps_for`, in the training's work folder."""

    def __init__(self, steps: Sequence[Step], work: Path, clock: Clock = time.monotonic) -> None:
        """work: the folder of its state, created if its parent exists. OutputError, EngineError."""
        try:
            _make_folder(work)
        except OSError as error:
            raise OutputError(f"folder {work} cannot be used: {reason(error)}") from None
        self._work = work
        self._inbox = Inbox(News())
        environment = {**worker_environment(), "PYTHONUNBUFFERED": "1"}  # lines as they are written
        super().__init__(steps, Place(work / LOG, environment, work.parent), STOP_PATIENCE, clock)

    @property
    def news(self) -> News:
        """The reports of the command that runs, or ran last."""
        news = self._inbox.news
        if news.preview is not None and not news.preview.is_absolute():
            return replace(news, preview=self._work / news.preview)
        return news

    def _begin(self, step: Step) -> OnLine:
        self._inbox = Inbox(self._inbox.news.of_video)
        return self._inbox.on_line

    def _progress(self, step: Step) -> tuple[str, float]:
        progress = self.news.progress
        return step.label, progress.factor if progress is not None else 0.0

    def _succeeded(self, step: Step) -> bool:
        return self.news.done

    def _kept(self, step: Step) -> str:
        if step.stop_file is None:  # it makes the dataset
            return "finished steps are kept, and the next training continues from there"
        return "Resume continues from the saved state"

    def _result(self, step: Step) -> str:
        psnr = self.news.psnr
        quality = f", PSNR {psnr:.1f} dB" if psnr is not None else ""
        return f"{step.result or step.label} is ready{quality}"


class Inbox:
    """Collects the events of one command, after what is known already."""

    def __init__(self, news: News) -> None:
        self.news = news

    def on_line(self, line: bytes) -> bool:
        event = parse(line)
        if event is None:
            return False
        self.news = folded(self.news, event)
        return True


def _make_folder(folder: Path) -> None:
    """OSError."""
    folder.mkdir(parents=False, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "it may not be written", str(folder))
