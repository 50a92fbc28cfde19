"""Make a dataset from a video, step by step; a finished step is kept and skipped the next time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, EgsError
from ..system.machine import available_cores
from ..system.processes import Processes
from .backgrounds import BACKGROUND, make_background
from .face import LOG as PROCESS_LOG
from .face import check_models
from .frames import examine_video, write_frames
from .landmarks import MESHES, SIGNALS, find_meshes
from .lip_features import VOICE
from .log import LOG, Log
from .masks import mask_files, write_masks
from .options import Note, PrepareOptions, Progress
from .packages import check_packages, unknown_models
from .poses import TRACK, track_poses, write_eyes, write_points
from .report.step import report_files, write_report
from .segmentation.network import check_network, digest_of_network
from .shots import SHOTS, find_shots, load_shots
from .state import State, digest_of, digest_of_file, digest_of_video
from .step import Step, all_there
from .voice import SOUND, match_lips, write_sound

VERSION = 6  # of the steps: a higher one makes them run again
MOST_PROCESSES = 12  # unless the user names a number; each takes 0.3 GB

STEPS = (
    *("look", "sound", "frames", "landmarks", "shots", "lips", "pose"),
    *("eyes", "background", "masks", "points", "report"),
)


@dataclass(frozen=True)
class _Task:
    """depends: values that change its result, besides the tasks before it. run(step, keep): keep
    says that files it wrote before it was stopped are still valid. files(): its output. of_sound:
    pictures do not depend on it, so that another choice of sound leaves them finished."""

    name: str
    depends: Any
    run: Callable[[Step, bool], dict[str, Any]]
    files: Callable[[], Iterable[Path]] = tuple
    of_sound: bool = False


def prepare(
    video: Path,
    folder: Path,
    options: PrepareOptions,
    *,
    progress: Progress = lambda step, done, total: None,
    note: Note = lambda text: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Make `folder` a dataset of the video, or continue an earlier preparation. Returns the
    results: frames, focal length, blinks and so on. progress(step, done, total): total is 0 if
    unknown.

    VideoError: the video cannot be used. OutputError: the folder contains something else, or the
    disk is full. ArgumentError, MissingPackageError, CancelledError. Finished steps are kept."""
    check_packages()
    if options.parsing is not None and not options.parsing.is_dir():
        raise ArgumentError(f"--parsing {options.parsing} is not a folder; give a folder of masks")
    if options.segmenter is not None:
        check_network(options.segmenter)
    if options.landmark_model is not None and not options.landmark_model.is_file():
        raise ArgumentError(
            f"--landmark-model {options.landmark_model} does not exist; give MediaPipe's "
            "face_landmarker.task"
        )
    check_models(options)
    models = {"--landmark-model": options.landmark_model, "--segmenter": options.segmenter}
    for line in unknown_models(models):
        note(line)
    state = State(folder, digest_of_video(video), video.name)
    step = Step(video, folder, options, "", progress, note, cancelled)
    step.make(step.side.name)
    count = options.processes or min(available_cores(), MOST_PROCESSES)
    log = Log(step.side / LOG)
    log.describe(f"{video.name} with {count} processes, size {options.size}")
    try:
        if count == 1:
            return _run(state, step, log)
        with closing(Processes(count, step.side / PROCESS_LOG)) as processes:
            return _run(state, replace(step, processes=processes), log)
    except EgsError as error:
        log.fail(str(error))
        raise


def _run(state: State, step: Step, log: Log) -> dict[str, Any]:
    """Do every step that is not finished."""
    options = step.options
    facts: dict[str, Any] = {}
    pictures, sound = digest_of(VERSION), ""  # what the next task depends on

    def done(task: _Task) -> None:
        nonlocal pictures, sound
        if task.of_sound:
            key = sound = digest_of(pictures, sound, task.name, task.depends)
        else:
            key = pictures = digest_of(pictures, task.name, task.depends)
        own = replace(step, name=task.name)
        if state.is_done(task.name, key) and all_there(task.files()):
            facts.update(state.facts(task.name))
            own.progress(1, 1)
            return
        keep = state.is_begun(task.name, key)
        state.begin(task.name, key)
        log.begin(task.name)

        def progress(name: str, count: int, total: int) -> None:
            log.progress(count, total)
            step.on_progress(name, count, total)

        def note(text: str) -> None:
            log.note(text)
            step.note(text)

        found = task.run(replace(own, on_progress=progress, note=note), keep)
        state.finish(task.name, key, found)
        log.end()
        facts.update(found)

    model = options.landmark_model
    model_digest = None if model is None else digest_of_file(model)
    start = (options.start, options.seconds, options.crop, model_digest, options.size)
    done(_Task("look", start, examine_video))
    for task in _tasks(step, facts):
        done(task)
    return facts


def _tasks(step: Step, facts: dict[str, Any]) -> list[_Task]:
    """All steps but the first, which counts the frames."""
    options, side, folder = step.options, step.side, step.folder
    given = None if options.parsing is None else str(options.parsing.resolve())
    if options.segmenter is not None:
        given = digest_of_network(options.segmenter)
    count = int(facts["frames"])
    rows = range(count)

    def poses() -> list[Path]:
        names = ("transforms_train.json", "transforms_val.json")
        return [side / TRACK, *(folder / name for name in names)]

    def masks() -> Iterable[Path]:
        own = facts.get("background", "still") != "still"
        return (path for row in rows for path in mask_files(step, row, own))

    return [
        _Task(
            "sound",
            options.audio_track,
            lambda step, keep: write_sound(step, count),
            lambda: [side / VOICE],
            of_sound=True,
        ),
        _Task(
            "frames",
            options.quality,
            lambda step, keep: write_frames(step, facts, keep),
            lambda: map(step.image, rows),
        ),
        _Task(
            "landmarks",
            None,
            lambda step, keep: find_meshes(step, count, keep),
            lambda: [side / MESHES, side / SIGNALS, *map(step.landmarks, rows)],
        ),
        _Task(
            "shots",
            None,
            lambda step, keep: find_shots(step),
            lambda: [side / SHOTS],
        ),
        _Task(
            "lips",
            options.sound_offset,
            lambda step, keep: match_lips(step, count, int(facts["audio_track"]), keep),
            lambda: [folder / SOUND],
            of_sound=True,
        ),
        _Task("pose", options.focal, lambda step, keep: track_poses(step, keep), poses),
        _Task("eyes", None, lambda step, keep: write_eyes(step), lambda: [folder / "au.csv"]),
        _Task(
            "background",
            given,
            lambda step, keep: make_background(step, load_shots(step).rows),
            lambda: [folder / "bc.jpg", side / BACKGROUND],
        ),
        _Task(
            "masks",
            None,
            lambda step, keep: write_masks(step, count, load_shots(step).rows, keep),
            masks,
        ),
        _Task(
            "points",
            None,
            lambda step, keep: write_points(step),
            lambda: [folder / "track_params.pt"],
        ),
        _Task(
            "report",
            None,
            lambda step, keep: write_report(step, facts),
            lambda: report_files(step),
            of_sound=True,
        ),
    ]
