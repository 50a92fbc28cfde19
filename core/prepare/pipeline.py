"""A video to a dataset, step by step; each is kept when it is done and skipped the next time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from .frames import look_at, write_frames, write_sound
from .masks import BACKGROUND, make_plate, write_masks
from .options import Note, PrepareOptions, Progress, check_packages
from .poses import MESHES, TRACK, find_meshes, track, write_eyes, write_points
from .report import REPORT, write_report
from .state import State, digest_of, digest_of_file
from .step import Work, all_there

VERSION = 1  # of what the steps do: a higher one makes them run again

STEPS = (
    *("look", "sound", "frames", "landmarks", "pose"),
    *("eyes", "background", "masks", "points", "report"),
)


@dataclass(frozen=True)
class Step:
    """depends: what changes its result, beside the step before. run(keep): keep says that files it
    wrote when it was stopped are still right. files: that must be there when it is done."""

    name: str
    depends: Any
    run: Callable[[bool], dict[str, Any]]
    files: Callable[[], Iterable[Path]]


def prepare(
    video: Path,
    folder: Path,
    options: PrepareOptions,
    *,
    progress: Progress = lambda step, done, total: None,
    note: Note = lambda text: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Make `folder` a dataset of the video, or go on with it. Returns what was found: frames, focal
    length, blinks and so on. progress(step, done, total): total is 0 where it is not known.

    VideoError: what is wrong with the video. OutputError: the folder holds something else, or the
    disk is full. ArgumentError, MissingPackageError, CancelledError. What is finished stays."""
    check_packages()
    if options.parsing is not None and not options.parsing.is_dir():
        raise ArgumentError(f"--parsing {options.parsing} is no folder; give a folder of masks")
    if options.landmark_model is not None and not options.landmark_model.is_file():
        raise ArgumentError(
            f"--landmark-model {options.landmark_model} does not exist; give MediaPipe's "
            "face_landmarker.task"
        )
    state = State(folder, digest_of_file(video), video.name)
    work = Work(video, folder, options, progress, note, cancelled)
    work.make("prepare")
    facts: dict[str, Any] = {}
    key = digest_of(VERSION)

    def done(step: Step) -> None:
        nonlocal key
        key = digest_of(key, step.name, step.depends)
        if state.is_done(step.name, key) and all_there(step.files()):
            facts.update(state.facts(step.name))
            work.told(step.name, 1, 1)
            return
        keep = state.is_begun(step.name, key)
        state.begin(step.name, key)
        found = step.run(keep)
        state.finish(step.name, key, found)
        facts.update(found)

    model = options.landmark_model
    model_digest = None if model is None else digest_of_file(model)
    start = (options.start, options.seconds, options.crop, model_digest, options.size)
    done(Step("look", start, lambda keep: look_at(work), lambda: ()))
    count = int(facts["frames"])
    rows = range(count)
    for step in _steps(work, facts, count, rows):
        done(step)
    return facts


def _steps(work: Work, facts: dict[str, Any], count: int, rows: range) -> list[Step]:
    options, side, folder = work.options, work.side, work.folder
    given = None if options.parsing is None else str(options.parsing.resolve())

    def poses() -> list[Path]:
        names = ("transforms_train.json", "transforms_val.json")
        return [side / TRACK, *(folder / name for name in names)]

    def masks() -> Iterable[Path]:
        return (path(row) for row in rows for path in (work.parsing, work.torso))

    return [
        Step("sound", None, lambda keep: write_sound(work, count), lambda: [folder / "aud.wav"]),
        Step(
            "frames",
            options.quality,
            lambda keep: write_frames(work, facts, keep),
            lambda: map(work.image, rows),
        ),
        Step(
            "landmarks",
            None,
            lambda keep: find_meshes(work, count),
            lambda: [side / MESHES, *map(work.landmarks, rows)],
        ),
        Step("pose", options.focal, lambda keep: track(work, count), poses),
        Step("eyes", None, lambda keep: write_eyes(work), lambda: [folder / "au.csv"]),
        Step(
            "background",
            given,
            lambda keep: make_plate(work, count),
            lambda: [folder / "bc.jpg", side / BACKGROUND],
        ),
        Step("masks", None, lambda keep: write_masks(work, count, keep), masks),
        Step(
            "points",
            None,
            lambda keep: write_points(work, count),
            lambda: [folder / "track_params.pt"],
        ),
        Step("report", None, lambda keep: write_report(work, count), lambda: [folder / REPORT]),
    ]
