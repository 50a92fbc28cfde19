"""Zooms, of a few percent too: known by the wall and the face, which grow by the same factor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.images.sampling import bilinear
from core.prepare.background_motion import SIDE
from core.prepare.backgrounds import make_background
from core.prepare.enlargement import enlargement
from core.prepare.landmarks import MESHES
from core.prepare.masks import mask_files, write_masks
from core.prepare.options import PrepareOptions
from core.prepare.pictures import write_picture
from core.prepare.segmentation.view import SIDE as WORK
from core.prepare.shots import REASONS, find_shots, load_shots
from core.prepare.step import Step
from core.prepare.surroundings import Surroundings
from core.prepare.zooms import levels, punch_ins, slow_zoom

from ..support import films
from ..support.drawn_person import BLUE, BROWN, SKIN, Drawn, draw
from ..support.drawn_person import SIDE as DRAWN
from ..support.films import talking
from ..support.tflite_models import write_segmenter
from .test_segmenter import weights_of
from .test_shots import begun

LIGHT, DARK = (150, 190, 140), (60, 150, 90)


def scene(scale: float, person: float = 0.0, noise: int = 0, plain: bool = False) -> Surroundings:
    """A wall before a camera that enlarges it by exp(scale), and a person at a place."""
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2) / np.exp(scale)
    wave = 120 + (0 if plain else 1) * (
        40 * np.sin((x + 9) / 5) * np.cos(y / 7) + 20 * np.sin(x / 3)
    )
    random = np.random.default_rng(noise)
    grey = (wave + random.normal(0, 1.5, wave.shape)).astype(np.float32)
    rows, columns = np.mgrid[:WORK, :WORK] / WORK
    body = (np.abs(columns - 0.5 - person) < 0.2) & (rows > 0.3)
    distance = np.where(body, 0, 255).astype(np.uint8)
    grey[body[:: WORK // SIDE, :: WORK // SIDE]] = 20 * person
    return Surroundings(distance, np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize("scale", [-0.06, 0.0, 0.02, 0.05, 0.12])
def test_the_scale_is_that_of_the_wall_whoever_stands_before_it(scale: float) -> None:
    one, other = scene(0), scene(scale, 0.1, 1)
    found = enlargement(one.grey, other.grey, one.empty, other.empty, scale - 0.02)
    assert found is not None and abs(found.zoom - scale) < 0.002
    assert (found.rest < 0.7) == (scale != 0)


def test_a_plain_wall_tells_nothing() -> None:
    one, other = scene(0, plain=True), scene(0.05, 0.1, 1, plain=True)
    found = enlargement(one.grey, other.grey, one.empty, other.empty, 0.05)
    assert found is not None and found.rest > 0.9
    hidden = np.zeros((SIDE, SIDE), bool)
    assert enlargement(one.grey, other.grey, hidden, other.empty, 0.0) is None


def sizes_of(steps: dict[int, float], count: int = 60) -> np.ndarray:
    """A face that grows at once at some frames, and always trembles."""
    out = np.random.default_rng(0).normal(0, 0.002, count)
    for row, step in steps.items():
        out[row:] += step
    return out


def found_by(face: dict[int, float], wall: dict[int, float], cuts: tuple[int, ...] = ()) -> dict:
    sizes, valid = sizes_of(face), np.ones(60, bool)
    cut = np.zeros(60, bool)
    cut[list(cuts)] = True

    def look(row: int) -> Surroundings:
        scale = sum(step for first, step in wall.items() if row >= first)
        return scene(scale, 0.002 * row, row)

    zooms = punch_ins(sizes, valid, cut, look)
    return {int(row): round(float(zooms[row]), 2) for row in np.flatnonzero(zooms)}


def test_face_and_wall_that_grow_at_once_are_a_punch_in() -> None:
    assert found_by({20: 0.03, 40: -0.03}, {20: 0.03, 40: -0.03}) == {20: 0.03, 40: -0.03}
    # At a cut the person may have moved a little, too.
    assert found_by({20: 0.06}, {20: 0.04}, cuts=(20,)) == {20: 0.04}


def test_only_one_of_them_is_no_zoom() -> None:
    assert found_by({20: 0.05}, {}) == {}  # leans forward
    assert found_by({}, {20: 0.05}, cuts=(20,)) == {}  # another wall
    assert found_by({20: -0.05}, {20: 0.05}, cuts=(20,)) == {}
    slowly = {row: 0.004 for row in range(15, 30)}
    assert found_by(slowly, {20: 0.03}) == {}  # nothing happens at once


def test_framings_that_come_back_are_the_same() -> None:
    zooms = np.zeros(100)
    zooms[[10, 20, 30, 40, 50]] = 0.05, -0.047, 0.052, -0.048, 0.1
    found = levels(zooms)[[0, 15, 25, 35, 45, 60]]
    assert found[0] == found[2] == found[4] == 0
    assert found[1] == found[3] == pytest.approx(0.05)
    assert found[5] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("face", "wall", "zooms"),
    [(0.05, 0.05, True), (0.05, 0.0, False), (0.0, 0.05, False), (0.05, -0.05, False)],
)
def test_a_slow_zoom_is_seen_by_both(face: float, wall: float, zooms: bool) -> None:
    parts = np.linspace(0, 1, 40)
    around = [scene(wall * part, 0.05 * np.sin(9 * part), row) for row, part in enumerate(parts)]
    sizes = face * parts + np.random.default_rng(0).normal(0, 0.005, 40)
    found = slow_zoom(around, sizes)
    assert (found is not None) == zooms
    if found is not None:
        assert np.abs(found - wall * (parts - parts[20])).max() < 0.004


def test_a_punch_in_of_a_few_percent_is_another_framing(tmp_path: Path) -> None:
    frames = [*talking(40), *[films.zoomed(p, 1.04) for p in talking(30, 40)], *talking(20, 70)]
    step, notes = begun(tmp_path, frames)
    facts = find_shots(step)
    reasons = load_shots(step).reason
    assert {REASONS[why] for why in reasons[40:70]} == {"in another framing"}
    assert facts["shots"] == 3 and "1.2 s in another framing" in notes[0]
    assert (reasons[:40] == 0).all() and (reasons[71:] == 0).all()


def zooming_film(folder: Path, count: int, most: float) -> tuple[Step, list[str]]:
    """A drawn film whose camera zooms slowly; a network that knows its colours is in the folder."""
    folder.mkdir(exist_ok=True)
    model = folder / "own.tflite"
    write_segmenter(model, *weights_of(LIGHT, DARK, BROWN, SKIN, BLUE))
    classes = ("background", "background", "head", "skin", "torso")
    model.with_name("own.tflite.json").write_text(json.dumps({"classes": classes}))
    notes: list[str] = []
    step = Step(
        Path("film.mp4"), folder / "out", PrepareOptions(size=DRAWN, segmenter=model, quality=100),
        "background", lambda *seen: None, notes.append, lambda: False,
    )  # fmt: skip
    step.make("prepare", "ori_imgs")
    y, x = np.mgrid[:DRAWN, :DRAWN] + 0.5
    share = (0.5 + 0.25 * np.sin(x / 13) + 0.25 * np.sin(y / 17))[..., None]
    wall = share * LIGHT + (1 - share) * DARK
    meshes = []
    for row in range(count):
        scale = np.exp(most * row / (count - 1))
        pixels, truth, mesh = draw(Drawn(shift=6 * np.sin(row)), row)
        whole = np.where((truth > 0)[..., None], pixels, wall).astype(np.float32)
        middle = DRAWN / 2
        places = (np.stack([x, y], -1) - middle) / scale + middle
        write_picture(step.image(row), bilinear(whole[None], places[None])[0].astype(np.uint8), 100)
        mesh = mesh * scale
        mesh[:, :2] += middle * (1 - scale)
        meshes.append(mesh)
    step.save(MESHES, meshes=np.array(meshes), valid=np.ones(count, bool))
    return step, notes


def test_a_slow_zoom_gives_every_frame_its_own_background(tmp_path: Path) -> None:
    step, notes = zooming_film(tmp_path, 12, 0.06)
    facts = make_background(step, range(12)) | write_masks(step, 12, range(12), False)
    assert facts["background"] == "zooms"
    assert len(notes) == 1 and "slow zoom" in notes[0] and "bc_imgs" in notes[0]
    assert all(path.is_file() for row in range(12) for path in mask_files(step, row, True))
    still, notes = zooming_film(tmp_path / "still", 12, 0.0)
    assert make_background(still, range(12))["background"] == "still" and notes == []
