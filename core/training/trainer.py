"""One training from a dataset to an .egs, stage after stage, resumable between any two steps."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..avatar.file import save_avatar
from ..dataset.load import load_clip
from ..dataset.rows import rows_to_train
from ..dataset.sound import shortened, training_track
from ..errors import ArgumentError, CancelledError, OutputError, TrainingError
from ..system.gpu_torch import out_of_memory
from ..system.machine import available_cores, machine
from .batches import Feed
from .events import Events, Listener
from .folder import FILE, check_places, make_work_folder
from .head import FIELDS, Head, farthest_first, new_head, reorder, settle
from .job import STOP, TrainJob
from .optimiser import Average
from .perceptual import perceptual_of
from .points import first_colours, first_points
from .preview import look, spread, write_strip
from .rasterisers.choose import splatter_for
from .result import avatar_of, background_for, with_held
from .schedule import LIPS, MOTION, STATIC, Clock, Plan, plan
from .stages import LipsStage, MotionStage, Stage, StaticStage
from .state import Place, check_state, load_state, save_state

SAVE_SECONDS = 60.0
AVERAGE = 0.998
WARM_UP = 20  # steps over which a stage's rates rise
LOOKED_AT = 12  # held-out frames of the last look


def train(job: TrainJob, listener: Listener) -> Path:
    """Train, write the avatar, return its path. Everything that happens goes to `listener`, see
    events.py. Raises DatasetError, ArgumentError, TrainingError, OutputError, MissingPackageError,
    and CancelledError when stopped: then the state lies in the work folder."""
    try:
        return _Training(job, listener).run()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(
            f"the memory of {job.device} is full; train with fewer --points or a smaller --scale"
        ) from None
    except MemoryError:
        raise TrainingError(
            "the memory is full; train with fewer --points or a smaller --scale"
        ) from None


class _Training:
    def __init__(self, job: TrainJob, listener: Listener) -> None:
        self.job, self.config = job, job.config
        check_places(job)
        self.splat = splatter_for(job.device)
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(available_cores())
        clip = load_clip(job.dataset)
        self.notes = list(clip.notes)
        self.background = background_for(clip)
        track, self.spec = training_track(
            clip, self.config.features, files=job.feature_files, notes=self.notes
        )
        track, self.spec = shortened(track, self.spec, self.config.window)
        rows = rows_to_train(clip, job.rows)
        self.feed = Feed(clip, track, self.config, rows, job.device)
        points = first_points(clip, job.init)
        poses = self.feed.poses[self.feed.rows].cpu().numpy()
        colours = first_colours(clip, points)
        dim = self.feed.audio_dim
        self.head = new_head(points, poses, dim, self.config, job.device, colours)
        self.held_out = clip.val_rows or clip.train_rows
        self.average: Average | None = None
        self.clock = Clock()
        if (kept := make_work_folder(job)) is not None:
            self.notes.append(kept)
        self.state = job.work / FILE
        self.place, self.sections = self._start()
        self.events = Events(job.work, listener)
        self._saved = time.monotonic()

    def _start(self) -> tuple[Place, dict[str, dict[str, Tensor]]]:
        """Where to begin: at the first stage, or where the state left off."""
        if not self.job.resume:
            if not self.config.static_init:
                self._order_agents()
            return Place(self._names()[0], 0, {}, 0, 0), {}
        if not self.state.is_file():
            raise ArgumentError(
                f"{self.job.work} holds no training to go on with; leave --resume out"
            )
        place, sections = load_state(self.state, self.config, self.job.device)
        check_state(self.state, place, sections, self.head, self._names())
        self.head.load(sections["head"])
        self.head.degree = place.degree
        self.clock.seconds = dict(place.seconds)
        return place, sections

    def _names(self) -> list[str]:
        names = [STATIC] if self.config.static_init else []
        if self.feed.anchors is not None and self.config.lips_steps:
            names.append(LIPS)
        return [*names, MOTION]

    def run(self) -> Path:
        names = self._names()
        self.events.tell(
            "start",
            dataset=self.job.dataset,
            device=self.job.device,
            stages=names,
            gaussians=len(self.head),
            resumed=self.job.resume,
        )
        for note in self.notes:
            self.events.tell("note", text=note)
        for name in names[names.index(self.place.stage) :]:
            self._run_stage(name)
            if name == STATIC:
                settle(self.head)
                self._order_agents()
            if name != MOTION:
                self.place = Place(names[names.index(name) + 1], 0, {}, self.head.degree, 0)
                self.sections = {}
                self._save(self.place.stage, 0, {})
        return self._finish()

    def _order_agents(self) -> None:
        """ESAA takes the first Gaussians as agents; the official code whatever these are."""
        if self.head.is_paper:
            means = self.head.canonical["means"].detach().cpu().numpy()
            reorder(self.head, farthest_first(means, self.config.agents))

    def _run_stage(self, name: str) -> None:
        stage = self._make(name)
        timing = plan(name, self._names(), stage.steps, self.config.minutes, self.clock)
        step = self.place.step
        self.clock.tick("setup")
        while True:
            progress = timing.progress(step, self.clock.of(name))
            if progress >= 1:
                break
            self._check_stop(stage, step)
            loss, quality = self._step(stage, step, progress)
            step += 1
            self.clock.tick(name)
            self._tell(timing, step, loss, quality)
            self._look(name, step)
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self._save(name, step, self._sections_of(stage))
                self.clock.tick("saving")
        self._tell(timing, step, None, None, last=True)
        if name == MOTION:
            self._save_last(step, self._sections_of(stage))

    def _make(self, name: str) -> Stage:
        """The stage, as it was left where a state says so."""
        stage: Stage
        if name == STATIC:
            stage = StaticStage(self.feed, self.head, self.splat)
        elif name == LIPS:
            stage = LipsStage(self.feed, self.head)
        else:
            stage = MotionStage(self.feed, self.head, self.splat, perceptual_of(self.job))
            self.average = Average(self.head, AVERAGE)
            if "average" in self.sections:
                self.average.restore(self.sections["average"], self.place.averaged)
        stage.optimiser.restore(self.sections.get("optimiser", {}))
        if isinstance(stage, StaticStage) and "density" in self.sections:
            stage.density.pull = self.sections["density"]["pull"].clone()
            stage.density.seen = self.sections["density"]["seen"].clone()
        return stage

    def _step(self, stage: Stage, step: int, progress: float) -> tuple[float, float | None]:
        loss, quality = stage.loss(step, progress)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise self._diverged(stage.name, step)
        loss.backward()
        factor = min(1.0, (step + 1) / WARM_UP) * stage.final**progress
        stage.optimiser.step(factor)
        stage.after(step, progress)
        if self.average is not None:
            self.average.update(self.head)
        return value, quality

    def _tell(
        self,
        timing: Plan,
        step: int,
        loss: float | None,
        quality: float | None,
        *,
        last: bool = False,
    ) -> None:
        steps, remaining = timing.expected(step, self.clock.of(timing.name))
        self.events.progress(
            last=last,
            stage=timing.name,
            step=step,
            steps=steps,
            seconds=round(self.clock.total(), 1),
            remaining=round(remaining, 1),
            loss=loss,
            psnr=quality,
            gaussians=len(self.head),
        )

    def _look(self, name: str, step: int) -> None:
        every = self.config.preview_every
        if name == MOTION and every and step % every == 0:
            sight = look(self._best(), self.feed, self.splat, spread(self.held_out))
            path = self.job.work / f"preview_{step:06d}.jpg"
            write_strip(path, sight.strip)
            self.events.tell("preview", path=path, step=step, psnr=sight.psnr)
            self.clock.tick("looking")

    def _sections_of(self, stage: Stage) -> dict[str, dict[str, Tensor]]:
        sections = {"optimiser": stage.optimiser.state()}
        if isinstance(stage, StaticStage):
            sections["density"] = {"pull": stage.density.pull, "seen": stage.density.seen}
        if self.average is not None:
            sections["average"] = self.average.values
        return sections

    def _save(self, stage: str, step: int, sections: dict[str, dict[str, Tensor]]) -> None:
        averaged = 0 if self.average is None else self.average.steps
        place = Place(stage, step, dict(self.clock.seconds), self.head.degree, averaged)
        head = dict(self.head.named_parameters())
        if not all(bool(torch.isfinite(value).all()) for value in head.values()):
            raise self._diverged(stage, step)
        save_state(self.state, self.config, place, {"head": head, **sections})
        self._saved = time.monotonic()
        self.events.tell("saved", path=self.state)

    def _save_last(self, step: int, sections: dict[str, dict[str, Tensor]]) -> None:
        """All is trained: if the avatar cannot be written, --resume has only that left to do."""
        try:
            self._save(MOTION, step, sections)
        except OutputError as error:
            self.events.tell("note", text=str(error))

    def _diverged(self, stage: str, step: int) -> TrainingError:
        kept = f"the state before is kept in {self.job.work}, for --resume; "
        return TrainingError(
            f"the loss is no number at step {step} of stage {stage}; "
            f"{kept if self.state.is_file() else ''}start with another --seed"
        )

    def _check_stop(self, stage: Stage, step: int) -> None:
        stop = self.job.work / STOP
        if stop.exists():
            self._save(stage.name, step, self._sections_of(stage))
            stop.unlink(missing_ok=True)
            raise CancelledError(
                f"stopped at step {step} of stage {stage.name}; --resume goes on from there"
            )

    def _best(self) -> Head:
        """The head with the averaged values."""
        if self.average is None:
            return self.head
        values = self.average.values
        canonical = {name: values[f"canonical.{name}"] for name in FIELDS}
        best = Head(canonical, self.head.network.to_weights()).to(self.job.device)
        best.load(values)
        best.degree = self.head.degree
        return best

    def _finish(self) -> Path:
        job, best = self.job, self._best()
        sight = look(best, self.feed, self.splat, spread(self.held_out, LOOKED_AT))
        picture = job.work / "preview_final.jpg"
        write_strip(picture, sight.strip)
        facts: dict[str, Any] = {
            "dataset": job.dataset.resolve().name,
            "rows": job.rows,
            "seconds": {k: round(v, 1) for k, v in self.clock.seconds.items()},
            "machine": dict(machine()),
            "device": job.device,
        }
        if job.rows == "train":
            facts["psnr"] = round(sight.psnr, 2)
        avatar = avatar_of(best, self.feed.clip, self.spec, job, self.background, facts)
        save_avatar(avatar, job.out, half=True)  # before what may be interrupted
        save_avatar(with_held(avatar, self.feed.track, job), job.out, half=True)
        self.events.tell("preview", path=picture, psnr=sight.psnr)
        self.events.tell("done", path=job.out, psnr=sight.psnr, seconds=self.clock.total())
        return job.out
