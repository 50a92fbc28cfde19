"""Steps on several processes: the result does not depend on their number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV: make prepare")
pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.errors import ArgumentError, CancelledError
from core.prepare import poses, tracking
from core.prepare.landmarks import MESHES, PART, PARTS, SIGNALS, find_meshes
from core.prepare.options import PrepareOptions
from core.prepare.patches import Appearance, Patches
from core.prepare.pictures import write_picture
from core.prepare.poses import FIT, track_poses
from core.prepare.shots import SHOTS
from core.prepare.step import Step
from core.prepare.tracking import ROUNDS
from core.system.processes import Processes

from ..support.videos import pictures

COUNT = 2 * PART + 12


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with closing(Processes(2, tmp_path_factory.mktemp("processes") / "log")) as pool:
        yield pool


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of COUNT pictures: the small clip, forwards and backwards."""
    folder = tmp_path_factory.mktemp("frames")
    clip = pictures()
    for row in range(COUNT):
        at = row % (2 * len(clip))
        write_picture(folder / f"{row}.jpg", clip[min(at, 2 * len(clip) - 1 - at)])
    return folder


def step_of(folder: Path, frames: Path, processes: Processes | None) -> Step:
    """The step `landmarks` of a folder whose pictures are those of `frames`."""
    step = step_in(folder, processes)
    step.make("prepare")
    copytree(frames, folder / "ori_imgs")
    return step


def step_in(folder: Path, processes: Processes | None) -> Step:
    return Step(
        Path("clip.mp4"), folder, PrepareOptions(size=256), "landmarks", lambda *seen: None,
        lambda text: None, lambda: False, processes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def alone(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which this process alone found the meshes; all frames are used."""
    folder = tmp_path_factory.mktemp("alone")
    step = step_of(folder, frames, None)
    find_meshes(step, COUNT, keep=False)
    step.save(SHOTS, number=np.zeros(COUNT, np.int32), reason=np.zeros(COUNT, np.int8))
    return folder


def equal(a: Path, b: Path) -> bool:
    names = [
        f"prepare/{MESHES}",
        f"prepare/{SIGNALS}",
        *(f"ori_imgs/{row}.lms" for row in range(COUNT)),
    ]
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in names)


def test_landmarks_do_not_depend_on_the_number_of_processes(
    alone: Path, frames: Path, tmp_path: Path, processes: Processes
) -> None:
    seen: list[tuple[int, int]] = []
    step = step_of(tmp_path, frames, processes)
    step = replace(step, on_progress=lambda name, done, total: seen.append((done, total)))
    find_meshes(step, COUNT, keep=False)
    assert equal(tmp_path, alone)
    assert not (tmp_path / "prepare" / PARTS).exists()
    assert seen[-1] == (COUNT, COUNT) and seen == sorted(seen)


def test_a_part_begins_where_one_long_search_would_be(alone: Path) -> None:
    """The joints between parts cannot be seen: points jump there no more than elsewhere."""
    with np.load(alone / "prepare" / MESHES) as found:
        meshes = found["meshes"][..., :2].astype(np.float64)
    bends = np.abs(meshes[2:] - 2 * meshes[1:-1] + meshes[:-2]).mean((1, 2))
    joints = [bends[first - 2 : first].max() for first in range(PART, COUNT, PART)]
    assert max(joints) <= np.percentile(bends, 95)


def test_stopped_landmarks_keep_finished_parts(
    alone: Path, frames: Path, tmp_path: Path, processes: Processes
) -> None:
    seen: list[int] = []
    step = step_of(tmp_path, frames, None)
    begun = replace(
        step,
        on_progress=lambda name, done, total: seen.append(done),
        cancelled=lambda: bool(seen) and seen[-1] > 0,
    )
    with pytest.raises(CancelledError):
        find_meshes(begun, COUNT, keep=False)
    part = tmp_path / "prepare" / PARTS / "0.npz"
    stamp = part.stat().st_mtime_ns

    def progress(name: str, done: int, total: int) -> None:
        seen.append(done)
        assert part.stat().st_mtime_ns == stamp  # kept, not made again

    find_meshes(replace(step, on_progress=progress, processes=processes), COUNT, keep=True)
    assert seen[2] == PART and equal(tmp_path, alone)


def test_a_stopped_fit_of_the_pose_goes_on_and_ends_the_same(
    alone: Path, tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops after the first part, once the head is fitted; then this process alone ends it, or
    two processes do. They also end a fit that never stopped the same."""
    folders = [tmp_path / name for name in ("one", "two")]
    copytree(alone, folders[0])
    step = replace(step_in(folders[0], None), name="pose")
    seen: list[int] = []
    begun = replace(
        step,
        on_progress=lambda name, done, total: seen.append(done),
        cancelled=lambda: len(seen) > ROUNDS + 2,
    )
    with pytest.raises(CancelledError):
        track_poses(begun, keep=False)
    kept = [folders[0] / "prepare" / name for name in (FIT, "pose/0.npz")]
    stamps = [path.stat().st_mtime_ns for path in kept]
    copytree(folders[0], folders[1])
    monkeypatch.setattr(poses, "fit_head", None)  # never again

    def progress(name: str, done: int, total: int) -> None:
        assert done < total or [path.stat().st_mtime_ns for path in kept] == stamps

    track_poses(replace(step, on_progress=progress), keep=True)
    track_poses(step_in(folders[1], processes), keep=True)
    for name in ("prepare/track.npz", "transforms_train.json", "transforms_val.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert not (folders[0] / "prepare" / poses.PARTS).exists()


def test_a_fit_that_is_stopped_between_its_rounds_goes_on_there(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than a round of it is lost, however slow the machine is; the head is the same."""
    made: list[int] = []
    median = tracking.median_appearance

    def counted(taken: np.ndarray, patches: Patches) -> Appearance:
        made.append(1)
        return median(taken, patches)

    def refined(step: Step, rows: np.ndarray) -> None:
        raise CancelledError("the head is fitted")

    monkeypatch.setattr(tracking, "median_appearance", counted)
    monkeypatch.setattr(poses, "_refined", refined)
    heads = []
    for name, rounds in (("whole", ROUNDS + 1), ("stopped", 6)):
        copytree(alone, tmp_path / name)
        step = replace(step_in(tmp_path / name, None), name="pose")
        seen: list[int] = []
        begun = replace(
            step,
            on_progress=lambda name, done, total, seen=seen: seen.append(done),
            cancelled=lambda seen=seen, rounds=rounds: len(seen) > rounds,
        )
        for keep, run in ((False, begun), (True, step)):
            with pytest.raises(CancelledError):
                track_poses(run, keep)
        assert len(made) == ROUNDS  # each round once; what lies beyond the mesh is found after them
        made.clear()
        heads.append((tmp_path / name / "prepare" / FIT).read_bytes())
    assert heads[0] == heads[1]


@pytest.mark.parametrize("count", [0, -1, 1000])
def test_a_number_of_processes_that_makes_no_sense(count: int) -> None:
    with pytest.raises(ArgumentError, match=f"--processes {count}"):
        PrepareOptions(processes=count)
