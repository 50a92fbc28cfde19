"""Datasets that other tools made or passed on: poses from the JSON files, names of lens and files,
frames that take their sound from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.dataset.load import load_clip, load_dataset
from core.dataset.sound import training_track
from core.errors import DatasetError
from tests.support.training_inputs import (
    FOCAL,
    FRAMES,
    MORE,
    SIDE,
    TRAIN,
    VAL,
    camera_of,
    noise,
    write_split,
    write_wav,
)

pytestmark = pytest.mark.usefixtures("coarse_hull")
ROW = 16000 // 25
AXES = np.diag([1.0, -1.0, -1.0, 1.0])


def matrix_of(row: int) -> list[list[float]]:
    """As the field's process.py writes it: camera to head, a tenth of the translation."""
    matrix = AXES @ camera_of(row).viewmat
    matrix[:3, 3] /= 10
    return np.linalg.inv(matrix).round(7).tolist()


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change every transforms_*.json."""
    for path in folder.glob("transforms_*.json"):
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))


def with_poses(document: dict[str, Any]) -> None:
    for entry in document["frames"]:
        entry["transform_matrix"] = matrix_of(entry["img_id"])


def test_poses_come_from_the_json_files_where_the_track_is_missing(clip_folder: Path) -> None:
    edit(clip_folder, with_poses)
    (clip_folder / "track_params.pt").unlink()
    clip = load_clip(clip_folder)
    assert len(clip) == FRAMES and len(clip.points) > 1000
    for row in range(FRAMES):
        np.testing.assert_allclose(clip.viewmats[row], camera_of(row).viewmat, atol=1e-4)
    assert sum("no track_params.pt: the poses" in note for note in clip.notes) == 1
    avatar = load_dataset(clip_folder)
    assert avatar.track is not None and len(avatar.track) == FRAMES
    np.testing.assert_allclose(avatar.track.viewmats[9], camera_of(9).viewmat, atol=1e-4)


def test_an_entry_without_a_sound_pose_is_left_out_and_a_gap_is_bridged(clip_folder: Path) -> None:
    def spoil(document: dict[str, Any]) -> None:
        with_poses(document)
        for entry in document["frames"]:
            if entry["img_id"] in (4, 5):
                entry["transform_matrix"] = [[1, 2], [3, 4]] if entry["img_id"] == 4 else "x"

    edit(clip_folder, spoil)
    (clip_folder / "track_params.pt").unlink()
    clip = load_clip(clip_folder)
    assert not {4, 5} & set(clip.train_rows) and len(clip.train_rows) == TRAIN - 2
    track = load_dataset(clip_folder).track
    assert track is not None
    np.testing.assert_array_equal(track.viewmats[5], track.viewmats[3])


def test_the_poses_of_both_files_are_the_same_on_the_real_clip(shared: Path) -> None:
    from core.dataset.report import Report
    from core.dataset.transforms import poses_of, read_documents

    folder = shared / "talker_clip"
    poses = poses_of(read_documents(folder, Report()))
    np.testing.assert_allclose(poses, load_clip(folder).viewmats, atol=2e-6)


def lens(**values: object) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for name in ("focal_len", "cx", "cy"):
            document.pop(name, None)
        document |= values

    return change


MIDDLE = SIDE / 2
LENSES: dict[str, dict[str, object]] = {
    "list": {"focal_len": [FOCAL], "cx": [MIDDLE], "cy": MIDDLE},
    "fl and sides": {"fl_x": FOCAL, "fl_y": FOCAL, "w": SIDE, "h": SIDE},
    "all": {"fl_x": FOCAL, "fl_y": FOCAL, "cx": MIDDLE, "cy": MIDDLE, "w": SIDE, "h": SIDE},
}


@pytest.mark.parametrize("name", LENSES)
def test_other_names_of_the_lens(clip_folder: Path, name: str) -> None:
    edit(clip_folder, lens(**LENSES[name]))
    clip = load_clip(clip_folder)
    assert (clip.focal, clip.width, clip.height) == (FOCAL, SIDE, SIDE)


def test_a_lens_of_other_pixels_is_named(clip_folder: Path) -> None:
    edit(clip_folder, lens(fl_x=FOCAL, fl_y=1.2 * FOCAL, w=SIDE, h=SIDE))
    with pytest.raises(DatasetError, match=r"fl_x is 110 and fl_y 132.* not square"):
        load_clip(clip_folder)


def renamed(folder: Path, name: Callable[[int], str]) -> None:
    paths = [path for part in ("ori_imgs", "parsing", "torso_imgs")
             for path in (folder / part).iterdir()]  # fmt: skip
    for path in paths:
        path.rename(path.with_name("new" + name(int(path.stem)) + path.suffix))
    for path in paths:
        new = path.with_name("new" + name(int(path.stem)) + path.suffix)
        new.rename(new.with_name(new.name.removeprefix("new")))


@pytest.mark.parametrize("first", [0, 1])
def test_names_with_zeros_and_names_from_1(whole_clip: Path, clip_folder: Path, first: int) -> None:
    expected = load_clip(whole_clip)
    renamed(clip_folder, lambda number: f"{number + first:05d}")
    clip = load_clip(clip_folder)
    assert clip.train_rows == expected.train_rows and clip.more_rows == expected.more_rows
    for row in (0, 7, FRAMES - 1):
        found = clip.decode(row)
        np.testing.assert_array_equal(found.image, expected.decode(row).image)
        np.testing.assert_array_equal(clip.landmarks[row], expected.landmarks[row])
    assert len(clip.notes) == first
    assert not first or "picture 1 is frame 0" in clip.notes[0]


def test_frames_named_by_their_files(clip_folder: Path) -> None:
    def name(document: dict[str, Any]) -> None:
        for entry in document["frames"]:
            entry["file_path"] = f"./ori_imgs/{entry.pop('img_id'):05d}.jpg"
            del entry["aud_id"]

    edit(clip_folder, name)
    clip = load_clip(clip_folder)
    assert clip.train_rows == tuple(range(TRAIN)) and clip.notes == ()


def test_entries_come_in_any_order(clip_folder: Path) -> None:
    edit(clip_folder, lambda document: document["frames"].reverse())
    assert load_clip(clip_folder).train_rows == tuple(range(TRAIN))


def test_fewer_frames_named_than_there_are_pictures(clip_folder: Path) -> None:
    """As prepare leaves out frames that cannot be trusted: nothing else moves."""
    kept = [row for row in range(TRAIN) if not 6 <= row < 11]
    write_split(clip_folder, "train", kept)
    clip = load_clip(clip_folder)
    assert clip.train_rows == tuple(kept) and clip.notes == () and clip.sound_rows is None
    np.testing.assert_array_equal(clip.viewmats[12], camera_of(12).viewmat)
    track, _ = training_track(clip)
    assert len(track) == FRAMES


@pytest.mark.parametrize("kind", ["log-mel", "hubert"])
def test_frames_take_their_sound_from_aud_id(clip_folder: Path, kind: str) -> None:
    """Here from frame 10 on the sound is 7 rows ahead, as after a cut of the pictures."""
    for name in ("transforms_more.json", "aud_more.wav"):
        (clip_folder / name).unlink()
    write_wav(clip_folder / "aud.wav", noise((FRAMES + 7) * ROW))
    steps = np.random.default_rng(1).normal(size=(FRAMES + 7, 2, 40)).astype(np.float32)
    np.save(clip_folder / "aud_hu.npy", steps)
    for name, rows in (("train", range(TRAIN)), ("val", range(TRAIN, FRAMES))):
        ids = [(row, row + 7 * (row >= 10)) for row in rows]
        frames = [{"img_id": row, "aud_id": sound} for row, sound in ids]
        write_split(clip_folder, name, [], frames=frames)
    clip, notes = load_clip(clip_folder), []
    track, spec = training_track(clip, kind, notes=notes)
    assert notes == [] and len(track) == FRAMES
    assert any("aud_id" in note for note in clip.notes)
    write_split(clip_folder, "train", range(TRAIN))
    write_split(clip_folder, "val", range(TRAIN, FRAMES))
    plain, plain_spec = training_track(load_clip(clip_folder), kind)

    def raw(track: Any, spec: Any, row: int) -> np.ndarray:
        return np.asarray(track.around(row)[4].T * spec.std + spec.mean)

    for row in (4, 9, 10, 15):
        wanted = raw(plain, plain_spec, row + 7 * (row >= 10))
        np.testing.assert_allclose(raw(track, spec, row), wanted, atol=1e-3)
    assert MORE + VAL < FRAMES
