"""One training from a dataset to an .egs, stage by stage, resumable between any two steps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..avatar.file import save_avatar
from ..errors import ArgumentError, CancelledError, OutputError, TrainingError
from ..system.gpu_torch import out_of_memory
from ..system.machine import machine
from .body_stage import BodyStage
from .events import Events, Listener
from .folder import STATE
from .head import FIELDS, Head, merge_static_decoder, order_agents
from .head_hidden import remove_hidden
from .job import STOP, TrainJob
from .losses import perceptual_loss
from .mouth_inside import add_inside
from .optimiser import Average
from .preview import Preview, evenly_spaced, render_preview, write_strip
from .result import avatar_of, with_frozen_gaussians
from .schedule import BODY, LIPS, MOTION, STATIC, Clock, StagePlan, plan_stage
from .setup import Setup, set_up
from .stages import LipsStage, MotionStage, Stage, StaticStage
from .state import Place, Sections, check_state, load_state, save_state

SAVE_SECONDS = 60.0  # between two states
AVERAGE = 0.998  # decay of the moving average
WARM_UP = 20  # steps over which a stage's learning rates rise
FINAL_FRAMES = 12  # held-out frames of the last preview


def train(job: TrainJob, listener: Listener) -> Path:
    """Train, write the avatar, return its path. `listener` receives all events, see events.py.
    Raises DatasetError, ArgumentError, InputError, TrainingError, OutputError, MissingPackageError;
    CancelledError if stopped, with the state saved in the work folder."""
    try:
        return _Training(set_up(job), listener).run()
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
    """The state that changes from step to step: the head, its moving average, the place in the
    stages."""

    def __init__(self, setup: Setup, listener: Listener) -> None:
        self.setup, self.job, self.config = setup, setup.job, setup.job.config
        self.head, self.batches = setup.head, setup.batches
        self.average: Average | None = None
        self.clock = Clock()
        self.state = self.job.work / STATE
        self.place = Place(setup.stages[0], 0, {}, 0, 0)
        self.sections: Sections = {}
        if self.job.resume:
            self._restore()
        elif not self.config.static_init:
            order_agents(self.head, self.config.agents)
        self.events = Events(self.job.work, listener)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        """Continue where the state in the work folder was saved."""
        if not self.state.is_file():
            raise ArgumentError(
                f"{self.job.work} has no training to resume; leave out --resume to start one"
            )
        self.place, self.sections = load_state(self.state, self.config, self.job.device)
        check_state(self.state, self.place, self.sections, self.head, self.setup.stages)
        self.head.load(self.sections["head"])
        self.head.degree = self.place.degree
        self.clock.seconds = dict(self.place.seconds)

    def run(self) -> Path:
        stages = self.setup.stages
        self.events.emit(
            "start",
            dataset=self.job.dataset,
            device=self.job.device,
            stages=list(stages),
            gaussians=len(self.head),
            resumed=self.job.resume,
        )
        for note in self.setup.notes:
            self.events.emit("note", text=note)
        for name in stages[stages.index(self.place.stage) :]:
            self._run_stage(name)
            if name == STATIC:
                merge_static_decoder(self.head)
                add_inside(self.head, self.batches)
                order_agents(self.head, self.config.agents)
            if name == MOTION:
                self._settle()
            if name != stages[-1]:
                self.place = Place(stages[stages.index(name) + 1], 0, {}, self.head.degree, 0)
                self.sections = {}
                self._save(self.place.stage, 0, {})
        return self._finish()

    def _settle(self) -> None:
        """End the head's training: its moving average becomes the head, without what is hidden."""
        assert self.average is not None
        self.head.load(self.average.values)
        self.average = None
        remove_hidden(self.head, self.batches, self.setup.splat)

    def _run_stage(self, name: str) -> None:
        stage = self._stage(name)
        plan = plan_stage(name, self.setup.stages, stage.steps, self.config.minutes, self.clock)
        step = self.place.step
        self.clock.tick("setup")
        while True:
            progress = plan.progress(step, self.clock.of(name))
            if progress >= 1:
                break
            self._check_stop(stage, step)
            loss, quality = self._step(stage, step, progress)
            step += 1
            self.clock.tick(name)
            self._report(plan, step, loss, quality)
            self._preview(name, step)
            if time.monotonic() - self._saved > SAVE_SECONDS:
                self._save(name, step, self._sections_of(stage))
                self.clock.tick("saving")
        self._report(plan, step, None, None, last=True)
        if name == self.setup.stages[-1]:
            self._save_last(name, step, self._sections_of(stage))

    def _stage(self, name: str) -> Stage:
        """The stage of that name, restored from the saved state if there is one."""
        batches, head, splat = self.batches, self.head, self.setup.splat
        stage: Stage
        if name == STATIC:
            stage = StaticStage(batches, head, splat)
        elif name == LIPS:
            stage = LipsStage(batches, head)
        elif name == BODY:
            assert self.setup.body is not None
            stage = BodyStage(batches, head, splat, self.setup.body)
        else:
            stage = MotionStage(batches, head, splat, perceptual_loss(self.job))
            self.average = Average(head, AVERAGE)
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

    def _report(
        self,
        plan: StagePlan,
        step: int,
        loss: float | None,
        quality: float | None,
        *,
        last: bool = False,
    ) -> None:
        steps, remaining = plan.expected(step, self.clock.of(plan.name))
        self.events.progress(
            last=last,
            stage=plan.name,
            step=step,
            steps=steps,
            seconds=round(self.clock.total(), 1),
            remaining=round(remaining, 1),
            loss=loss,
            psnr=quality,
            gaussians=len(self.head),
        )

    def _preview(self, name: str, step: int) -> None:
        every = self.config.preview_every
        if name == MOTION and every and step % every == 0:
            preview = self._rendered(self._averaged(), evenly_spaced(self.setup.preview_rows))
            path = self.job.work / f"preview_{step:06d}.jpg"
            write_strip(path, preview.strip)
            self.events.emit("preview", path=path, step=step, psnr=preview.psnr)
            self.clock.tick("looking")

    def _rendered(self, head: Head, rows: list[int]) -> Preview:
        return render_preview(head, self.batches, self.setup.splat, rows)

    def _sections_of(self, stage: Stage) -> Sections:
        sections = {"optimiser": stage.optimiser.state()}
        if isinstance(stage, StaticStage):
            sections["density"] = {"pull": stage.density.pull, "seen": stage.density.seen}
        if self.average is not None:
            sections["average"] = self.average.values
        return sections

    def _save(self, stage: str, step: int, sections: Sections) -> None:
        averaged = 0 if self.average is None else self.average.steps
        place = Place(stage, step, dict(self.clock.seconds), self.head.degree, averaged)
        head: dict[str, Tensor] = dict(self.head.named_parameters())
        if not all(bool(torch.isfinite(value).all()) for value in head.values()):
            raise self._diverged(stage, step)
        save_state(self.state, self.config, place, {"head": head, **sections})
        self._saved = time.monotonic()
        self.events.emit("saved", path=self.state)

    def _save_last(self, name: str, step: int, sections: Sections) -> None:
        """Save after the last step: if the avatar cannot be written, --resume only writes it."""
        try:
            self._save(name, step, sections)
        except OutputError as error:
            self.events.emit("note", text=str(error))

    def _diverged(self, stage: str, step: int) -> TrainingError:
        kept = f"--resume continues from the last good state in {self.job.work}, or "
        return TrainingError(
            f"the loss is not a number at step {step} of stage {stage}; "
            f"{kept if self.state.is_file() else ''}start with another --seed"
        )

    def _check_stop(self, stage: Stage, step: int) -> None:
        stop = self.job.work / STOP
        if stop.exists():
            self._save(stage.name, step, self._sections_of(stage))
            stop.unlink(missing_ok=True)
            raise CancelledError(
                f"stopped at step {step} of stage {stage.name}; --resume continues from there"
            )

    def _averaged(self) -> Head:
        """A head with the values of the moving average, which is better than the last step's."""
        if self.average is None:
            return self.head
        values = self.average.values
        canonical = {name: values[f"canonical.{name}"] for name in FIELDS}
        head = Head(canonical, self.head.network.to_weights()).to(self.job.device)
        head.body = self.head.body
        head.load(values)
        head.degree = self.head.degree
        return head

    def _finish(self) -> Path:
        job, head = self.job, self.head
        preview = self._rendered(head, evenly_spaced(self.setup.preview_rows, FINAL_FRAMES))
        picture = job.work / "preview_final.jpg"
        write_strip(picture, preview.strip)
        facts: dict[str, Any] = {
            "dataset": job.dataset.resolve().name,
            "rows": job.rows,
            "seconds": {k: round(v, 1) for k, v in self.clock.seconds.items()},
            "machine": dict(machine()),
            "device": job.device,
        }
        if job.rows == "train":
            facts["psnr"] = round(preview.psnr, 2)
        setup = self.setup
        bodies = None if setup.body is None else setup.body.viewmats
        avatar = avatar_of(
            head,
            self.batches.clip,
            setup.sound.spec,
            job,
            setup.background,
            facts,
            bodies,
            self.batches.landmark_points,
        )
        save_avatar(avatar, job.out, half=True)  # already here: freezing may be interrupted
        avatar = with_frozen_gaussians(avatar, setup.sound.track, job)
        save_avatar(avatar, job.out, half=True)
        self.events.emit("preview", path=picture, psnr=preview.psnr)
        self.events.emit("done", path=job.out, psnr=preview.psnr, seconds=self.clock.total())
        return job.out
