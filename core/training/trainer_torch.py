"""One training from a dataset to an .egs, stage after stage, resumable between any two steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..audio.spec import FeatureSpec
from ..audio.track import AudioTrack
from ..avatar.file import save_avatar
from ..errors import ArgumentError, CancelledError, OutputError, TrainingError
from ..machine import available_cores, machine
from .clip import load_clip
from .clip_frames import TrainingClip
from .config import TrainConfig
from .events import Events, Listener
from .feed_torch import Feed
from .head_torch import FIELDS, Head, new_head
from .optimiser_torch import Average
from .points import first_colours, first_points
from .result_torch import avatar_of
from .sight_torch import look, spread, write_strip
from .sound import training_track
from .splatting.choose import splatter_for
from .stages_torch import (
    LIPS,
    MOTION,
    STATIC,
    LipsStage,
    MotionStage,
    Stage,
    StaticStage,
    end_static,
)
from .state_torch import FILE, Place, load_state, save_state

SAVE_SECONDS = 60.0
STOP = "stop"  # a file of this name in the work folder ends the training
AVERAGE = 0.998
WARM_UP = 20  # steps over which a stage's rates rise
ROWS = ("train", "all")


@dataclass(frozen=True)
class TrainJob:
    """dataset: folder. out: the .egs to write. work: folder of state, log and previews. device:
    "cpu" or "cuda". resume: go on with the state in `work`. rows: "train", or "all" frames, the
    held-out ones too, for an avatar that is not compared. init: a .ply whose points are the first
    Gaussians. feature_files: .npy files of features that are not computed here."""

    dataset: Path
    out: Path
    work: Path
    config: TrainConfig
    device: str = "cpu"
    resume: bool = False
    rows: str = "train"
    init: Path | None = None
    feature_files: tuple[Path, ...] = ()
    name: str = ""
    licence: str = ""


def train(job: TrainJob, listener: Listener) -> Path:
    """Train, write the avatar, return its path. Everything that happens goes to `listener`, see
    events.py. Raises DatasetError, ArgumentError, TrainingError, OutputError, MissingPackageError,
    and CancelledError when stopped: then the state lies in the work folder."""
    try:
        return _Training(job, listener).run()
    except torch.OutOfMemoryError:
        raise TrainingError(
            f"the memory of {job.device} is full; train with fewer --points or a smaller --scale"
        ) from None
    except MemoryError:
        raise TrainingError(
            "the memory is full; train with fewer --points or a smaller --scale"
        ) from None


@dataclass
class _Clock:
    """Seconds spent in each stage, kept over interruptions."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)

    def tick(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def total(self) -> float:
        return sum(self.seconds.values())


class _Training:
    def __init__(self, job: TrainJob, listener: Listener) -> None:
        self.job, self.config = job, job.config
        if not job.out.parent.is_dir():
            raise OutputError(f"folder {job.out.parent} does not exist; create it first")
        self.splat = splatter_for(job.device)
        torch.set_num_threads(available_cores())
        self.notes: list[str] = []
        clip = load_clip(job.dataset)
        self.notes += clip.notes
        track, self.spec = _sound(clip, job, self.notes)
        self.feed = Feed(clip, track, self.spec, self.config, _rows(clip, job.rows), job.device)
        points = first_points(clip, job.init)
        self.head = new_head(
            points,
            self.feed.poses[self.feed.rows].cpu().numpy(),
            self.feed.audio_dim,
            self.config,
            job.device,
            first_colours(clip, points),
        )
        self.average: Average | None = None
        self.clock = _Clock()
        self.begin: Place | None = None
        self.sections: dict[str, dict[str, Tensor]] = {}
        _make_folder(job.work)
        self.state = job.work / FILE
        if job.resume:
            self._resume()
        (job.work / STOP).unlink(missing_ok=True)
        self.events = Events(job.work, listener)
        self.held = clip.val_rows or clip.train_rows
        self._saved = time.monotonic()

    def _resume(self) -> None:
        if not self.state.is_file():
            raise ArgumentError(
                f"{self.job.work} holds no training to go on with; leave --resume out"
            )
        self.begin, self.sections = load_state(self.state, self.config, self.job.device)
        self.head.load(self.sections["head"])
        self.head.degree = self.begin.degree
        self.clock.seconds = dict(self.begin.seconds)

    def run(self) -> Path:
        tell = self.events.tell
        tell(
            "start",
            dataset=self.job.dataset,
            device=self.job.device,
            stages=self._names(),
            gaussians=len(self.head),
            resumed=self.begin is not None,
        )
        for note in self.notes:
            tell("note", text=note)
        names = self._names()
        first = names.index(self.begin.stage) if self.begin else 0
        for name in names[first:]:
            self._stage(name, names)
        return self._finish()

    def _names(self) -> list[str]:
        names = [STATIC] if self.config.static_init else []
        if self.feed.anchors is not None and self.config.lips_steps:
            names.append(LIPS)
        return [*names, MOTION]

    def _stage(self, name: str, names: Sequence[str]) -> None:
        resumed = self.begin is not None and self.begin.stage == name
        start = self.begin.step if resumed and self.begin else 0
        if not resumed and name == names[min(int(names[0] == STATIC), len(names) - 1)]:
            end_static(self.head, self.config.agents)
        stage = self._make(name)
        if name == MOTION:
            self.average = Average(self.head, AVERAGE)
        if resumed and self.begin:
            stage.optimiser.restore(self.sections.get("optimiser", {}))
            if self.average and "average" in self.sections:
                self.average.restore(self.sections["average"], self.begin.averaged)
            if isinstance(stage, StaticStage) and "density" in self.sections:
                stage.density.pull = self.sections["density"]["pull"].clone()
                stage.density.seen = self.sections["density"]["seen"].clone()
        limit = self._limit(name, names)
        step, progress = start, 0.0
        self.clock.tick("setup")
        while True:
            spent = self.clock.seconds.get(name, 0.0)
            progress = step / max(stage.steps, 1) if limit is None else spent / max(limit, 1e-9)
            if progress >= 1:
                break
            self._check_stop(stage, step)
            loss, quality = self._step(stage, step, progress)
            step += 1
            self.clock.tick(name)
            self._tell(stage, step, limit, loss, quality)
            self._look(stage, step)
            self._keep(stage, step)
        self._tell(stage, step, limit, None, None, last=True)
        self._follow(name, names)

    def _follow(self, name: str, names: Sequence[str]) -> None:
        """Save at a stage's end as the next one's beginning."""
        self.begin = None
        later = names[names.index(name) + 1 :]
        if later:
            self._settle_before(later[0], names)
            self._save(later[0], 0, {})
            self.begin = Place(later[0], 0, dict(self.clock.seconds), self.head.degree, 0)
            self.sections = {}

    def _settle_before(self, name: str, names: Sequence[str]) -> None:
        if names[0] == STATIC and names.index(name) == 1:
            end_static(self.head, self.config.agents)

    def _make(self, name: str) -> Stage:
        if name == STATIC:
            return StaticStage(self.feed, self.head, self.splat)
        if name == LIPS:
            return LipsStage(self.feed, self.head)
        return MotionStage(self.feed, self.head, self.splat)

    def _limit(self, name: str, names: Sequence[str]) -> float | None:
        """Seconds for this stage: its share of what is left."""
        if self.config.minutes is None:
            return None
        shares = {STATIC: 0.15, LIPS: 0.1, MOTION: 0.75}
        spent = {k: v for k, v in self.clock.seconds.items() if k != name}
        left = max(self.config.minutes * 60 - sum(spent.values()), 1.0)
        rest = sum(shares[other] for other in names[names.index(name) :])
        return left * shares[name] / rest

    def _step(self, stage: Stage, step: int, progress: float) -> tuple[float, float | None]:
        loss, quality = stage.loss(step, progress)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise TrainingError(
                f"the loss is no number at step {step} of stage {stage.name}; the last good state "
                f"is kept in {self.job.work}: go on with --resume, or start with another --seed"
            )
        loss.backward()
        stage.optimiser.step(min(1.0, (step + 1) / WARM_UP) * stage.final**progress)
        stage.after(step, progress)
        if self.average is not None and stage.name == MOTION:
            self.average.update(self.head)
        return value, quality

    def _tell(
        self,
        stage: Stage,
        step: int,
        limit: float | None,
        loss: float | None,
        quality: float | None,
        *,
        last: bool = False,
    ) -> None:
        spent = self.clock.seconds.get(stage.name, 0.0)
        each = spent / max(step, 1)
        left = each * (stage.steps - step) if limit is None else limit - spent
        self.events.progress(
            last=last,
            stage=stage.name,
            step=step,
            steps=stage.steps if limit is None else max(step, round(limit / max(each, 1e-6))),
            seconds=round(self.clock.total(), 1),
            remaining=round(max(left, 0.0), 1),
            loss=loss,
            psnr=quality,
            gaussians=len(self.head),
        )

    def _look(self, stage: Stage, step: int) -> None:
        every = self.config.preview_every
        if not every or step % every or stage.name != MOTION:
            return
        sight = look(self._best(), self.feed, self.splat, spread(self.held))
        path = self.job.work / f"preview_{step:06d}.jpg"
        write_strip(path, sight.strip)
        self.events.tell("preview", path=path, step=step, psnr=sight.psnr)
        self.clock.tick("looking")

    def _keep(self, stage: Stage, step: int) -> None:
        if time.monotonic() - self._saved < SAVE_SECONDS:
            return
        self._save(stage.name, step, self._sections(stage))
        self.clock.tick("saving")

    def _sections(self, stage: Stage) -> dict[str, dict[str, Tensor]]:
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
        save_state(self.state, self.config, place, {"head": head, **sections})
        self._saved = time.monotonic()
        self.events.tell("saved", path=self.state)

    def _check_stop(self, stage: Stage, step: int) -> None:
        if (self.job.work / STOP).exists():
            self._save(stage.name, step, self._sections(stage))
            (self.job.work / STOP).unlink(missing_ok=True)
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
        sight = look(best, self.feed, self.splat, spread(self.held, 12))
        write_strip(job.work / "preview_final.jpg", sight.strip)
        facts = {
            "dataset": job.dataset.resolve().name,
            "rows": job.rows,
            "seconds": {k: round(v, 1) for k, v in self.clock.seconds.items()},
            "machine": dict(machine()),
            "device": job.device,
        }
        if job.rows == "train":
            facts["psnr"] = round(sight.psnr, 2)
        name = job.name or job.out.stem
        clip = self.feed.clip
        avatar = avatar_of(best, clip, self.spec, self.config, name, job.licence, facts)
        save_avatar(avatar, job.out, half=True)
        self.events.tell("preview", path=job.work / "preview_final.jpg", psnr=sight.psnr)
        self.events.tell("done", path=job.out, psnr=sight.psnr, seconds=self.clock.total())
        return job.out


def _rows(clip: TrainingClip, rows: str) -> tuple[int, ...]:
    if rows not in ROWS:
        raise ArgumentError(f"rows {rows!r} are unknown; choose one of {', '.join(ROWS)}")
    if rows == "train":
        return clip.train_rows
    return tuple(sorted({*clip.train_rows, *clip.val_rows, *clip.more_rows}))


def _sound(clip: TrainingClip, job: TrainJob, notes: list[str]) -> tuple[AudioTrack, FeatureSpec]:
    """The track, its windows cut to the configuration's steps around each row."""
    config = job.config
    track, spec = training_track(clip, config.features, files=job.feature_files, notes=notes)
    cut = (spec.window - config.window) // 2
    if cut <= 0:
        return track, spec
    part = slice(cut, cut + config.window)
    outside = None if track.outside is None else track.outside[part]
    shorter = AudioTrack(np.ascontiguousarray(track.windows[:, part]), outside, track.margin)
    return shorter, replace(spec, window=config.window, pad=spec.pad - cut)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be made: {error.strerror}") from None
