"""Dataset folders: camera, background, poses, eyes and features; errors name the file."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.avatar.framing import framing_camera, head_camera
from core.dataset.features import choose_features
from core.dataset.load import load_dataset
from core.errors import (
    DatasetError,
    MissingPackageError,
)
from core.records.camera import viewmat_from_track
from tests.support.avatar_inputs import FRAMES, SIDE, make_dataset


def test_everything_is_read(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d")
    dataset = load_dataset(folder)
    camera, track = dataset.camera, dataset.track
    assert dataset.notes == ()
    assert (camera.width, camera.height, camera.fx, camera.cx) == (SIDE, SIDE, 60.5, SIDE / 2)
    assert track is not None
    saved = torch.load(folder / "track_params.pt", weights_only=True)
    expected = viewmat_from_track(saved["euler"][3], saved["trans"][3])
    np.testing.assert_array_equal(track.viewmats[3], expected.astype(np.float32))
    np.testing.assert_allclose(track.eyes, np.minimum(0.35 * np.arange(FRAMES), 1), rtol=1e-15)
    assert track.eyes.dtype == np.float64
    np.testing.assert_array_equal(camera.viewmat, track.viewmats[2])  # the first torso's frame
    with Image.open(folder / "bc.jpg") as picture:
        np.testing.assert_array_equal(dataset.background.image, np.array(picture))
    with Image.open(folder / "torso_imgs/2.png") as picture:
        np.testing.assert_array_equal(dataset.background.torso, np.array(picture))


def test_the_torso_that_was_asked_for(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d", torsos=(2, 5))
    dataset = load_dataset(folder, torso_frame=5)
    assert dataset.track is not None
    with Image.open(folder / "torso_imgs/5.png") as picture:
        np.testing.assert_array_equal(dataset.background.torso, np.array(picture))
    np.testing.assert_array_equal(dataset.camera.viewmat, dataset.track.viewmats[5])
    with pytest.raises(DatasetError, match=r"no 4\.png; there are: 2 from 2 to 5"):
        load_dataset(folder, torso_frame=4)


def test_optional_parts_may_be_absent_and_are_reported(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d", torsos=())
    (folder / "au.csv").unlink()
    dataset = load_dataset(folder)
    assert dataset.background.torso is None and dataset.track is not None
    assert not dataset.track.eyes.any()
    (folder / "track_params.pt").unlink()
    bare = load_dataset(folder)
    assert bare.track is None
    np.testing.assert_array_equal(bare.camera.viewmat, head_camera().viewmat)
    said = " ".join(dataset.notes + bare.notes)
    assert all(part in said for part in ("torso_imgs", "au.csv", "track_params.pt"))


def test_both_spellings_of_the_eye_column(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d")
    spaced = load_dataset(folder).track
    text = (folder / "au.csv").read_text()
    assert " AU45_r" in text
    (folder / "au.csv").write_text(text.replace(" ", ""))
    plain = load_dataset(folder).track
    assert spaced is not None and plain is not None
    np.testing.assert_array_equal(spaced.eyes, plain.eyes)


def test_poses_that_the_tracker_moved_up_are_put_back(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d")
    whole = load_dataset(folder).track
    assert whole is not None
    (folder / "ori_imgs").mkdir()
    for row in range(FRAMES):
        (folder / f"ori_imgs/{row}.jpg").touch()
        if row != 3:
            (folder / f"ori_imgs/{row}.lms").touch()
    content = torch.load(folder / "track_params.pt", weights_only=True)
    kept = [row for row in range(FRAMES) if row != 3]
    torch.save({key: value[kept] for key, value in content.items()}, folder / "track_params.pt")
    dataset = load_dataset(folder)
    assert dataset.track is not None and "moved back" in " ".join(dataset.notes)
    expected = whole.viewmats[[0, 1, 2, 2, 4, 5]]  # frame 3 keeps the pose of the one before
    np.testing.assert_array_equal(dataset.track.viewmats, expected)


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d")
    (folder / "bc.jpg").write_bytes(b"hello")
    (folder / "track_params.pt").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"2 things are wrong.*bc\.jpg.*track_params\.pt"):
        load_dataset(folder)


def text(name: str, content: str | bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)

    return change


def picture(name: str, size: tuple[int, int], mode: str) -> Callable[[Path], None]:
    return lambda folder: Image.new(mode, size).save(folder / name)


def track(euler: object, trans: object) -> Callable[[Path], None]:
    return lambda folder: torch.save({"euler": euler, "trans": trans}, folder / "track_params.pt")


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def as_folder(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return change


TRANSFORMS, TRACK = "transforms_train.json", "track_params.pt"
ZEROS = torch.zeros(3, 3)
WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "no transforms": (removed(TRANSFORMS), f"{TRANSFORMS} does not exist"),
    "transforms cut": (text(TRANSFORMS, "{"), f"{TRANSFORMS} is not valid JSON"),
    "transforms deep": (text(TRANSFORMS, "[" * 99999), f"{TRANSFORMS} is not valid JSON"),
    "transforms list": (text(TRANSFORMS, "[]"), "focal_len is missing"),
    "no focal": (text(TRANSFORMS, '{"cx": 1, "cy": 1}'), "focal_len is missing"),
    "focal text": (text(TRANSFORMS, '{"focal_len": "1"}'), "focal_len is missing"),
    "focal NaN": (text(TRANSFORMS, '{"focal_len": NaN}'), "focal_len is missing"),
    "cx negative": (text(TRANSFORMS, '{"focal_len": 1, "cx": -3, "cy": 1}'), "cx is missing"),
    "other size": (
        text(TRANSFORMS, json.dumps({"focal_len": 60, "cx": 20, "cy": 20})),
        "24x24 pixels, transforms_train.json says 40x40",
    ),
    "no bc.jpg": (removed("bc.jpg"), r"bc\.jpg does not exist"),
    "bc.jpg text": (text("bc.jpg", "hello"), r"bc\.jpg is not a readable"),
    "bc.jpg cut": (
        lambda folder: os.truncate(folder / "bc.jpg", (folder / "bc.jpg").stat().st_size - 200),
        r"bc\.jpg is not a readable",
    ),
    "bc.jpg a GIF": (
        lambda folder: Image.new("L", (SIDE, SIDE)).save(folder / "bc.jpg", "GIF"),
        r"bc\.jpg is not a readable",
    ),
    "bc.jpg a folder": (as_folder("bc.jpg"), r"bc\.jpg is a folder"),
    "torso size": (picture("torso_imgs/2.png", (8, 8), "RGBA"), r"2\.png is 8x8"),
    "torso opaque": (picture("torso_imgs/2.png", (SIDE, SIDE), "RGB"), r"2\.png has no alpha"),
    "torso text": (text("torso_imgs/2.png", "x"), r"2\.png is not a readable"),
    "track text": (text(TRACK, "x"), f"{TRACK} is not a PyTorch file"),
    "track other": (track(None, None), "no numbers 'euler' and 'trans'"),
    "track shapes": (track(ZEROS, ZEROS[:2]), r"euler is \[3, 3\] and trans \[2, 3\]"),
    "track flat": (track(ZEROS[0], ZEROS[0]), "must be frames x 3"),
    "track empty": (track(ZEROS[:0], ZEROS[:0]), "must be frames x 3"),
    "track NaN": (track(ZEROS, ZEROS + torch.nan), "contains NaN"),
    "track far": (track(ZEROS, ZEROS + 1e30), "out of range"),
    "au empty": (text("au.csv", ""), "no column AU45_r"),
    "au column": (text("au.csv", "a,b\n1,2\n"), "no column AU45_r"),
    "au words": (text("au.csv", "AU45_r\n" + "x\n" * 9), "not a table of numbers"),
    "au NaN": (text("au.csv", "AU45_r\n" + "nan\n" * 9), "not a table of numbers"),
    "au narrow": (text("au.csv", "a,AU45_r\n" + "1\n" * 9), "not a table of numbers"),
    "au bytes": (text("au.csv", b"AU45_r\n\xff\n"), "not a table of numbers"),
    "au quotes": (text("au.csv", 'AU45_r\n"1\n'), "not a table of numbers"),
    "au short": (text("au.csv", "AU45_r\n1\n1\n"), "2 rows, the dataset has 6 frames"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, name: str) -> None:
    change, message = WRONG[name]
    folder = make_dataset(tmp_path / "d")
    change(folder)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset(folder)
    assert "\n" not in str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        load_dataset(tmp_path / "none")


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.new("1", (12_000, 12_000)).save(folder / "bc.jpg", "PNG")
    with pytest.raises(DatasetError, match="12000x12000 pixels"):
        load_dataset(folder)


def test_without_pillow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_dataset(tmp_path / "d")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingPackageError, match="pip install pillow"):
        load_dataset(folder)


def test_framing_camera_sees_the_points_from_the_front() -> None:
    rng = np.random.default_rng(0)
    for centre, scale in (((0, 0, 0), 1.0), ((5, -3, 40), 0.01), ((0, 2, 0), 300.0)):
        means = np.asarray(centre) + scale * rng.uniform(-1, 1, (2000, 3))
        camera = framing_camera(means)
        seen = means @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
        pixels = seen[:, :2] / seen[:, 2:] * camera.fx + (camera.cx, camera.cy)
        assert seen[:, 2].min() > 0 and camera.centre[2] > means[:, 2].max()
        assert pixels.min() > 0 and pixels.max() < 512
        assert np.ptp(pixels, axis=0).max() > 512 * 0.7
    top = camera.viewmat[:3, :3] @ (0, 1, 0)
    assert top[1] == -1  # up in the world is up in the picture


def test_the_real_clip(shared: Path) -> None:
    dataset = load_dataset(shared / "talker_clip")
    assert dataset.notes == () and dataset.track is not None
    assert (len(dataset.track), dataset.camera.fx) == (1085, 1200.0)
    for number in (714, 750):
        with np.load(shared / f"official_checkpoint/frame_{number}.npz") as frame:
            np.testing.assert_allclose(dataset.track.viewmats[number], frame["w2c"], atol=2e-6)
            assert dataset.track.eyes[number] == frame["eye"]
    spec = choose_features("auto", 29, shared / "talker_clip")
    with np.load(shared / "talker_clip/mel.npz") as stats:
        np.testing.assert_array_equal(np.float32(spec.mean), stats["mean"])
        np.testing.assert_array_equal(np.float32(spec.std), stats["std"])
    assert spec.parameters["log_epsilon"] == 1e-5
