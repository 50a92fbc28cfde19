"""Masks of real people at points that were labelled by eye, through the steps of `prepare`."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV: make prepare")
pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.dataset.pictures import read_picture
from core.images.pillow import resized
from core.prepare.backgrounds import make_background
from core.prepare.crop import Crop, check_faces, choose_crop
from core.prepare.face import FaceFinder
from core.prepare.landmarks import find_meshes
from core.prepare.mask_regions import BACKGROUND, HEAD, NECK, TORSO, to_regions
from core.prepare.masks import write_masks
from core.prepare.options import PrepareOptions
from core.prepare.pictures import write_picture
from core.prepare.step import Step

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
SIZE = 512
MORE = 9  # frames of a clip besides the labelled ones
RIGHT = {
    **{kind: {HEAD} for kind in ("hair", "face", "ear", "glasses", "mouth")},
    "neck": {NECK},
    "clothes": {TORSO},
    "body_skin": {TORSO, NECK},  # there is no border between them
    "hand": {TORSO, BACKGROUND},
    "background": {BACKGROUND},
}
LEAST, LEAST_OF_A_CLIP, LEAST_OF_A_CLASS = 0.985, 0.97, 0.95


def test_labelled_points_lie_in_the_right_regions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not REAL.is_dir():
        pytest.skip(f"needs clips of real people in {REAL}")
    labels: dict[str, list[dict[str, Any]]] = json.loads((REAL / "labels.json").read_text())
    right: dict[str, dict[str, list[bool]]] = {}
    for name, marked in labels.items():
        right[name] = _right(REAL / "clips" / name, marked, tmp_path / name)
    with capsys.disabled():
        print("\n" + _table(right))
    total = _total(right)
    assert sum(map(len, total.values())) > 1000 and _share(total) >= LEAST
    for name, classes in right.items():
        assert _share(classes) >= LEAST_OF_A_CLIP, name
    for kind in ("hair", "clothes"):
        assert np.mean(total[kind]) >= LEAST_OF_A_CLASS, kind


def _right(clip: Path, marked: list[dict[str, Any]], folder: Path) -> dict[str, list[bool]]:
    """Whether each labelled point inside the face's square is right, by class."""
    frames = _frames(clip, [entry["frame"] for entry in marked])
    numbers = sorted(frames)
    height, width = frames[numbers[0]].shape[:2]
    finder = FaceFinder(None)
    faces = check_faces([finder.find(frames[number]) for number in numbers], clip.name)
    crop = choose_crop(faces, width, height)
    _prepare(folder, [_cut(crop, frames[number]) for number in numbers])
    right: dict[str, list[bool]] = defaultdict(list)
    for entry in marked:
        row = numbers.index(entry["frame"])
        regions = to_regions(read_picture(folder / f"parsing/{row}.png"))
        for x, y, kind in entry["points"]:
            at = _in_crop(crop, x, y)
            if at is not None:
                right[kind].append(int(regions[at]) in RIGHT[kind])
    return right


def _cut(crop: Crop, pixels: np.ndarray) -> np.ndarray:
    part = pixels[crop.y : crop.y + crop.side, crop.x : crop.x + crop.side]
    return resized(part, SIZE, SIZE, "LANCZOS")


def _in_crop(crop: Crop, x: float, y: float) -> tuple[int, int] | None:
    """Row and column in the frame of a point of the video; None if it lies outside."""
    at = np.floor((np.array([y - crop.y, x - crop.x]) + 0.5) * SIZE / crop.side).astype(int)
    return (int(at[0]), int(at[1])) if (at >= 0).all() and (at < SIZE).all() else None


def _frames(clip: Path, wanted: list[int]) -> dict[int, np.ndarray]:
    """The wanted frames and some evenly spaced between them, by their number as decoded."""
    some = {*wanted, *np.linspace(0, max(wanted), MORE).astype(int).tolist()}
    import av

    found = {}
    with av.open(str(clip)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for number, frame in enumerate(container.decode(video=0)):
            if number in some:
                found[number] = frame.to_ndarray(format="rgb24")
            if number == max(some):
                break
    return found


def _prepare(folder: Path, pictures: list[np.ndarray]) -> None:
    """The steps from the pictures to the masks."""
    step = Step(
        Path("clip.mp4"), folder, PrepareOptions(size=SIZE), "masks", lambda *seen: None,
        lambda text: None, lambda: False,
    )  # fmt: skip
    step.make("prepare", "ori_imgs")
    for row, pixels in enumerate(pictures):
        write_picture(step.image(row), pixels)
    find_meshes(step, len(pictures), keep=False)
    make_background(step, range(len(pictures)))
    write_masks(step, len(pictures), range(len(pictures)), keep=False)


def _share(classes: dict[str, list[bool]]) -> float:
    return float(np.mean([hit for hits in classes.values() for hit in hits]))


def _total(right: dict[str, dict[str, list[bool]]]) -> dict[str, list[bool]]:
    """The points of all clips by class."""
    return {
        kind: [hit for classes in right.values() for hit in classes.get(kind, [])] for kind in RIGHT
    }


def _table(right: dict[str, dict[str, list[bool]]]) -> str:
    lines = [f"{'right points, %':27}{'all':>7}" + "".join(f"{kind[:9]:>11}" for kind in RIGHT)]
    for name, classes in [*right.items(), ("all", _total(right))]:
        line = f"{name:27}{100 * _share(classes):7.1f}"
        for kind in RIGHT:
            hits = classes.get(kind, [])
            line += f"{100 * np.mean(hits):7.0f}/{len(hits):<3}" if hits else " " * 11
        lines.append(line)
    return "\n".join(lines)
