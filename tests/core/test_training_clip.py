"""A complete dataset folder as training reads it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset.clip import grown
from core.dataset.load import TrainingClip, load_clip
from tests.support.training_inputs import (
    FOCAL,
    FRAMES,
    SIDE,
    TRAIN,
    VAL,
    camera_of,
    disc,
    landmarks_of,
    make_clip,
)


@pytest.fixture(scope="module")
def clip(whole_clip: Path) -> TrainingClip:
    return load_clip(whole_clip)


def pixels(path: Path, mode: str = "RGB") -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture.convert(mode))


def test_everything_is_read(clip: TrainingClip, whole_clip: Path) -> None:
    assert clip.notes == ()
    assert (clip.focal, clip.width, clip.height, len(clip)) == (FOCAL, SIDE, SIDE, FRAMES)
    assert clip.train_rows == tuple(range(TRAIN))
    assert clip.val_rows == tuple(range(TRAIN, TRAIN + VAL))
    assert clip.more_rows == tuple(range(TRAIN + VAL, FRAMES)) and clip.more_start == TRAIN + VAL
    assert (clip.sound, clip.sound_more) == (whole_clip / "aud.wav", whole_clip / "aud_more.wav")
    np.testing.assert_allclose(clip.eyes, 0.035 * np.arange(FRAMES), rtol=1e-12)
    np.testing.assert_allclose(clip.landmarks[7], landmarks_of(7), atol=1e-5)
    assert clip.viewmats.dtype == np.float64
    for row in range(FRAMES):
        camera, expected = clip.camera(row), camera_of(row)
        np.testing.assert_array_equal(camera.viewmat, expected.viewmat)
        np.testing.assert_array_equal(camera.K, expected.K)


def test_a_frame_is_the_original_inside_the_mask_and_torso_over_background_outside(
    clip: TrainingClip, whole_clip: Path
) -> None:
    frame = clip.frame(5)
    original, background = pixels(whole_clip / "ori_imgs/5.jpg"), pixels(whole_clip / "bc.jpg")
    torso = pixels(whole_clip / "torso_imgs/5.png", "RGBA").astype(np.float64)
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


def test_frames_are_kept_up_to_a_bound_and_decoded_again_after_it(
    whole_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SIDE * SIDE * (3 + 3 + 3 + 1)
    clip = load_clip(whole_clip, cache_bytes=2 * one)
    decoded: list[int] = []
    real = TrainingClip.mask

    def counted(self: TrainingClip, row: int) -> np.ndarray:
        decoded.append(row)
        return real(self, row)

    monkeypatch.setattr(TrainingClip, "mask", counted)
    for row in (1, 2, 1, 2, 1, 3, 1, 2):  # 3 pushes 2 out, which was asked for before 1
        clip.frame(row)
    assert decoded == [1, 2, 3, 2]


def test_frames_larger_than_the_bound_still_come(whole_clip: Path) -> None:
    clip = load_clip(whole_clip, cache_bytes=0)
    assert clip.frame(1).row == 1 and clip.frame(1) is not clip.frame(1)


def test_several_threads_get_the_same_pixels(whole_clip: Path) -> None:
    clip = load_clip(whole_clip, cache_bytes=20_000)
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
