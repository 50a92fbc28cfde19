"""Dataset folders as a training reads them: what comes out of a whole one."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.avatar import torch_file
from core.training import clip_frames, hull
from core.training.clip import TrainingClip, load_clip
from core.training.clip_files import head_mask, lip_box, read_landmarks
from core.training.clip_frames import grown
from tests.core.training_inputs import (
    FOCAL,
    FRAMES,
    MORE,
    RADIUS,
    SIDE,
    TRAIN,
    VAL,
    camera_of,
    disc,
    landmarks_of,
    make_clip,
    mesh,
    write_landmarks,
    write_split,
    write_track,
)


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hull of few cells, for speed."""
    monkeypatch.setattr(hull, "CELLS", 24)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return make_clip(tmp_path_factory.mktemp("clip") / "d")


@pytest.fixture(scope="module")
def clip(whole: Path) -> TrainingClip:
    return load_clip(whole)


def pixels(path: Path, mode: str = "RGB") -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture.convert(mode))


def test_everything_is_read(clip: TrainingClip, whole: Path) -> None:
    assert clip.notes == ()
    assert (clip.focal, clip.width, clip.height, len(clip)) == (FOCAL, SIDE, SIDE, FRAMES)
    assert clip.train_rows == tuple(range(TRAIN))
    assert clip.val_rows == tuple(range(TRAIN, TRAIN + VAL))
    assert clip.more_rows == tuple(range(TRAIN + VAL, FRAMES)) and clip.more_start == TRAIN + VAL
    assert (clip.sound, clip.sound_more) == (whole / "aud.wav", whole / "aud_more.wav")
    np.testing.assert_allclose(clip.eyes, 0.035 * np.arange(FRAMES), rtol=1e-12)
    np.testing.assert_allclose(clip.landmarks[7], landmarks_of(7), atol=1e-5)
    assert clip.viewmats.dtype == np.float64
    for row in range(FRAMES):
        camera, expected = clip.camera(row), camera_of(row)
        np.testing.assert_array_equal(camera.viewmat, expected.viewmat)
        np.testing.assert_array_equal(camera.K, expected.K)


def test_a_frame_is_the_original_inside_the_mask_and_torso_over_background_outside(
    clip: TrainingClip, whole: Path
) -> None:
    frame = clip.frame(5)
    original, background = pixels(whole / "ori_imgs/5.jpg"), pixels(whole / "bc.jpg")
    torso = pixels(whole / "torso_imgs/5.png", "RGBA").astype(np.float64)
    alpha = torso[..., 3:] / 255
    behind = np.rint(torso[..., :3] * alpha + background * (1 - alpha))
    head = disc(5)
    assert 0 < head.sum() < head.size and set(np.unique(torso[..., 3])) == {0, 100, 255}
    np.testing.assert_array_equal(frame.head, head)
    np.testing.assert_array_equal(frame.original, original)
    np.testing.assert_array_equal(frame.background, behind)
    np.testing.assert_array_equal(frame.image, np.where(head[..., None], original, behind))
    assert frame.row == 5 and frame.lips == clip.lip_box(5) == (17, 23, 13, 19)
    assert {a.dtype for a in (frame.image, frame.background, frame.original)} == {np.dtype("u1")}
    around = grown(head)
    protocol = frame.protocol_background
    np.testing.assert_array_equal(protocol[~around], original[~around])
    np.testing.assert_array_equal(protocol[around], behind[around])
    assert not frame.image.flags.writeable  # it is the cache's


def test_a_mask_grows_by_its_eight_neighbours() -> None:
    mask = np.zeros((6, 7), bool)
    mask[0, 0] = mask[3, 4] = True
    expected = np.zeros_like(mask)
    expected[:2, :2] = expected[2:5, 3:6] = True
    np.testing.assert_array_equal(grown(mask), expected)
    assert mask.sum() == 2


def test_only_pure_blue_is_head() -> None:
    colours = np.array([[[0, 0, 255], [0, 0, 254], [0, 1, 255], [1, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(head_mask(colours), [[True, False, False, False]])


def test_frames_are_kept_up_to_a_bound_and_decoded_again_after_it(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SIDE * SIDE * (3 + 3 + 3 + 1)
    clip = load_clip(whole, cache_bytes=2 * one)
    decoded: list[int] = []
    real = TrainingClip.mask

    def counted(self: TrainingClip, row: int) -> np.ndarray:
        decoded.append(row)
        return real(self, row)

    monkeypatch.setattr(TrainingClip, "mask", counted)
    for row in (1, 2, 1, 2, 1, 3, 1, 2):  # 3 pushes 2 out, which was asked for before 1
        clip.frame(row)
    assert decoded == [1, 2, 3, 2]


def test_frames_larger_than_the_bound_still_come(whole: Path) -> None:
    clip = load_clip(whole, cache_bytes=0)
    assert clip.frame(1).row == 1 and clip.frame(1) is not clip.frame(1)


def test_several_threads_get_the_same_pixels(whole: Path) -> None:
    clip = load_clip(whole, cache_bytes=20_000)
    expected = {row: clip.decode(row).image for row in range(12)}
    wrong: list[int] = []

    def work(seed: int) -> None:
        for row in np.random.default_rng(seed).integers(0, 12, 60).tolist():
            if not np.array_equal(clip.frame(row).image, expected[row]):
                wrong.append(row)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_same_torso_everywhere_is_one_picture_in_memory(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    for row in range(1, FRAMES):
        (folder / f"torso_imgs/{row}.png").write_bytes((folder / "torso_imgs/0.png").read_bytes())
    clip = load_clip(folder)
    assert clip.frame(3).background is clip.frame(9).background
    one = next((folder / "torso_imgs").iterdir())
    for path in (folder / "torso_imgs").iterdir():
        if path != one:
            path.unlink()
    alone = load_clip(folder)  # a single torso lies behind every frame
    assert alone.notes == () and len(alone.train_rows) == TRAIN
    np.testing.assert_array_equal(alone.frame(9).background, clip.frame(9).background)


def test_without_torsos_the_background_is_bare(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    for path in (folder / "torso_imgs").iterdir():
        path.unlink()
    clip = load_clip(folder)
    np.testing.assert_array_equal(clip.frame(0).background, pixels(folder / "bc.jpg"))
    assert any("torso_imgs" in note for note in clip.notes)


def test_png_images_and_a_jpg_beside_a_png(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    for row in (2, 3):
        Image.fromarray(np.full((SIDE, SIDE, 3), row, np.uint8)).save(
            folder / f"ori_imgs/{row}.png"
        )
    (folder / "ori_imgs/2.jpg").unlink()
    clip = load_clip(folder)
    assert clip.notes == () and (clip.frame(2).original == 2).all()
    np.testing.assert_array_equal(clip.frame(3).original, pixels(folder / "ori_imgs/3.jpg"))


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
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, looked = load_clip(whole), []
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
    whole: Path, clip: TrainingClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = mesh(1500, FRAMES).astype(np.float64).mean(0)
    assert clip.points.dtype == np.float64
    np.testing.assert_allclose(clip.points, expected, atol=1e-12)
    monkeypatch.setattr(torch_file, "MAX_PIECE", 3 * 1500 * 4)
    sizes = []
    split = torch.Tensor.split
    monkeypatch.setattr(torch.Tensor, "split", lambda self, n: sizes.append(n) or split(self, n))
    np.testing.assert_allclose(load_clip(whole).points, expected, atol=1e-12)
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
    assert any(note.startswith("2 entries of transforms_val.json name") for note in clip.notes)


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


def test_the_real_clip(shared: Path) -> None:
    clip = load_clip(shared / "talker_clip")
    assert clip.notes == ()
    assert (clip.focal, clip.width, clip.height) == (1200, 512, 512)
    assert [len(r) for r in (clip.train_rows, clip.val_rows, clip.more_rows)] == [714, 72, 299]
    assert clip.val_rows[0] == 714 and clip.more_start == 786
    with np.load(shared / "talker_clip/truth.npz") as truth:
        np.testing.assert_allclose(clip.landmarks, truth["lms"], atol=1e-4)
        # The tracked mesh is the truth's first points but for the unit's rounding.
        np.testing.assert_allclose(clip.points, truth["points"], atol=0.02)
        np.testing.assert_allclose(clip.eyes, np.clip(truth["au45"], 0, 2) / 2, atol=1e-3)
    y0, y1, x0, x1 = clip.head_box(clip.train_rows[::40])
    for row in (0, 300, 713):
        seen = clip.points @ clip.viewmats[row, :3, :3].T + clip.viewmats[row, :3, 3]
        at = seen[:, :2] / seen[:, 2:] * clip.focal + 256
        assert (at.min(0) > (x0, y0)).all() and (at.max(0) < (x1, y1 + 40)).all()
        face = clip.landmarks[row]
        assert np.abs(at[:, None] - face).sum(2).min(0).max() < 12  # some point at each landmark
        box = clip.lip_box(row)
        assert box is not None and box[1] - box[0] == box[3] - box[2]
        assert (face[48:60].min(0) >= (box[2] - 1, box[0] - 1)).all()


def test_the_measuring_protocol_of_the_authors_frames(shared: Path) -> None:
    """Outside the mask grown by 3 x 3 their background is the frame's own pixels, inside it is
    torso over bc.jpg, all bit for bit where the torso is opaque. Their bc.jpg was an earlier
    encoding of the one that is here, hence the tolerance where it shows."""
    clip = load_clip(shared / "talker_clip")
    for row in (714, 750):
        frame = clip.frame(row)
        with np.load(shared / f"official_checkpoint/frame_{row}.npz") as official:
            theirs = official["background"].transpose(1, 2, 0) * 255
            np.testing.assert_allclose(clip.viewmats[row], official["w2c"], atol=2e-6)
        around = grown(frame.head)
        torso = pixels(shared / f"talker_clip/torso_imgs/{row}.png", "RGBA")
        bare = around & (torso[..., 3] == 0)
        ours = frame.protocol_background.astype(np.float64)
        exact = ~around | (torso[..., 3] == 255)
        np.testing.assert_allclose(ours[exact], theirs[exact], atol=1e-4)
        assert np.abs(ours[bare] - theirs[bare]).max() <= 3
        assert np.abs(ours - theirs)[around & ~bare].max() <= 3
        # The ring itself is torso and background, not the frame: 4 neighbours would not do.
        cross = frame.head.copy()
        cross[1:] |= frame.head[:-1]
        cross[:-1] |= frame.head[1:]
        cross[:, 1:] |= frame.head[:, :-1]
        cross[:, :-1] |= frame.head[:, 1:]
        ring = around & ~cross
        assert np.abs(frame.original[ring] - theirs[ring]).max() > 10


def test_a_document_with_more_in_it_is_no_trouble(tmp_path: Path) -> None:
    folder = make_clip(tmp_path / "d")
    path = folder / "transforms_train.json"
    document = json.loads(path.read_text()) | {"comment": "x", "w": 7}
    path.write_text(json.dumps(document))
    assert load_clip(folder).notes == ()
    assert len(load_clip(folder).more_rows) == MORE
