"""Parts of a dataset as training reads them: boxes, points, poses, landmarks and splits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.dataset import clip as clip_frames
from core.dataset.landmarks import lip_box, read_landmarks
from core.dataset.load import TrainingClip, load_clip
from core.formats import torch_file
from tests.support.training_inputs import (
    FRAMES,
    MORE,
    RADIUS,
    SIDE,
    TRAIN,
    camera_of,
    disc,
    landmarks_of,
    make_clip,
    mesh,
    write_landmarks,
    write_split,
    write_track,
)

pytestmark = pytest.mark.usefixtures("coarse_hull")


@pytest.fixture(scope="module")
def clip(whole_clip: Path) -> TrainingClip:
    return load_clip(whole_clip)


def test_the_heads_box_covers_every_mask_with_a_margin_inside_the_picture(
    clip: TrainingClip,
) -> None:
    rows = clip.train_rows
    union = np.any([disc(row) for row in rows], axis=0)
    ys, xs = np.flatnonzero(union.any(1)), np.flatnonzero(union.any(0))
    tight = (ys[0], ys[-1] + 1, xs[0], xs[-1] + 1)
    assert clip.head_box(rows, margin=0) == tight
    assert clip.head_box(rows, margin=2) == (
        tight[0] - 2,
        tight[1] + 2,
        tight[2] - 2,
        tight[3] + 2,
    )
    assert clip.head_box(rows, margin=99) == (0, SIDE, 0, SIDE)


def test_a_box_of_many_rows_looks_at_a_bounded_number_of_masks(
    whole_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, looked = load_clip(whole_clip), []
    monkeypatch.setattr(clip_frames, "MASKS", 5)
    monkeypatch.setattr(TrainingClip, "mask", lambda _, row: looked.append(row) or disc(row))
    clip.head_box(clip.train_rows)
    assert looked == [0, 4, 8, 12, 16]
    clip.head_box(clip.train_rows)
    assert len(looked) == 5  # kept


def test_the_lips_square_is_cut_off_by_the_picture() -> None:
    points = np.full((68, 2), (2, 11), np.float32)
    points[48], points[54] = (-4.9, 10.2), (9.7, 12.9)
    # Width 9 - -4 = 13, half of it 6, around (2, 11).
    assert lip_box(points, 30, 14) == (5, 14, 0, 8)
    points[50] = np.nan
    assert lip_box(points, 30, 14) is None
    assert lip_box(np.full((68, 2), -50, np.float32), 30, 14) is None


def test_points_are_the_mean_over_frames_read_piece_by_piece(
    whole_clip: Path, clip: TrainingClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = mesh(1500, FRAMES).astype(np.float64).mean(0)
    assert clip.points.dtype == np.float64
    np.testing.assert_allclose(clip.points, expected, atol=1e-12)
    monkeypatch.setattr(torch_file, "MAX_PIECE", 3 * 1500 * 4)
    sizes = []
    split = torch.Tensor.split
    monkeypatch.setattr(torch.Tensor, "split", lambda self, n: sizes.append(n) or split(self, n))
    np.testing.assert_allclose(load_clip(whole_clip).points, expected, atol=1e-12)
    assert sizes == [4]


def test_poses_that_the_tracker_moved_up_are_put_back(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    lost = (4, 9, 10)
    for row in lost:
        (folder / f"ori_imgs/{row}.lms").unlink()
    write_track(folder, drop=lost)
    clip = load_clip(folder)
    assert len(clip) == FRAMES and not set(lost) & set(clip.train_rows)
    for row in (3, 5, 11, 26):
        np.testing.assert_array_equal(clip.viewmats[row], camera_of(row).viewmat)
    assert any("24 poses for 27 frames, 3 of which" in note for note in clip.notes)
    assert any(note.startswith("3 frames have no pose") for note in clip.notes)


def test_a_frame_without_landmarks_is_trained_on_without_its_lips(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    (folder / "ori_imgs/3.lms").unlink()
    (folder / "ori_imgs/4.lms").write_text("1 2\n" * 67)
    clip = load_clip(folder)
    assert clip.train_rows == tuple(range(TRAIN))
    assert np.isnan(clip.landmarks[3:5]).all() and np.isfinite(clip.landmarks[5:]).all()
    assert clip.frame(3).lips is None and clip.frame(5).lips is not None
    assert [note for note in clip.notes if "(3, 4)" in note and "landmarks" in note]


def test_a_dataset_without_held_out_frames_can_be_trained_on(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    for name in ("transforms_val.json", "transforms_more.json", "aud_more.wav"):
        (folder / name).unlink()
    clip = load_clip(folder)
    assert clip.val_rows == clip.more_rows == () and clip.sound_more is None
    assert any("transforms_val.json" in note for note in clip.notes)


def test_no_frame_is_both_trained_on_and_held_out(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    write_split(folder, "val", [TRAIN - 1, TRAIN, TRAIN, TRAIN + 1])
    clip = load_clip(folder)
    assert clip.val_rows == (TRAIN, TRAIN + 1)
    assert any(note.startswith("2 entries of transforms_val.json repeat") for note in clip.notes)


def test_one_or_two_missing_rows_of_eyes_go_on(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    lines = (folder / "au.csv").read_text().splitlines(keepends=True)
    (folder / "au.csv").write_text("".join(lines[:-2]))
    clip = load_clip(folder)
    assert clip.eyes[-1] == clip.eyes[-3] == pytest.approx(0.035 * (FRAMES - 3))
    assert any("au.csv has 25 rows for 27 frames" in note for note in clip.notes)


def test_a_mesh_that_is_no_face_gives_way_to_the_masks(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    for vertices, said in ((None, "no vertices"), (68, "68 vertices")):
        write_track(folder, vertices)
        clip = load_clip(folder)
        assert any(said in note for note in clip.notes)
        assert clip.points.shape == (30_000, 3)
        radii = np.linalg.norm(clip.points[:, :2], axis=1)
        assert RADIUS * 0.85 < radii.max() < RADIUS * 1.25


def test_landmark_files_of_any_spelling_and_nothing_else(tmp_path: Path) -> None:
    write = tmp_path / "ori_imgs"
    write.mkdir()
    write_landmarks(tmp_path, 0, landmarks_of(0))
    path = write / "0.lms"
    expected = read_landmarks(path)
    assert expected is not None and expected.shape == (68, 2)
    path.write_text(" ".join(repr(v) for v in landmarks_of(0).ravel().tolist()))
    np.testing.assert_array_equal(read_landmarks(path), expected)
    for text in ("", "nan " * 136, "inf " * 136, "x " * 136, "1 " * 135, "1 " * 137, "1e9 " * 136):
        path.write_text(text)
        assert read_landmarks(path) is None
    path.write_bytes(b"\xff\x00" * 300)
    assert read_landmarks(path) is None
    assert read_landmarks(tmp_path) is None


def test_a_document_with_more_in_it_is_no_trouble(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    path = folder / "transforms_train.json"
    document = json.loads(path.read_text()) | {"comment": "x", "w": 7}
    path.write_text(json.dumps(document))
    assert load_clip(folder).notes == ()
    assert len(load_clip(folder).more_rows) == MORE
