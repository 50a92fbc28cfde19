"""The steps that make background and masks, on drawn films whose colours a network knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.dataset.pictures import over, read_picture
from core.prepare.backgrounds import make_background
from core.prepare.landmarks import MESHES
from core.prepare.mask_regions import HEAD, TORSO, to_regions
from core.prepare.masks import write_masks
from core.prepare.options import PrepareOptions
from core.prepare.pictures import write_picture
from core.prepare.step import Step

from ..support.drawn_person import BLUE, BROWN, SIDE, SKIN, Drawn, draw
from ..support.tflite_models import write_segmenter
from .test_segmenter import weights_of

COUNT = 10
LIGHT, DARK = (150, 190, 140), (60, 150, 90)
CLASSES = ("background", "background", "head", "skin", "torso")

Wall = Callable[[int], np.ndarray]


def wall(shift: float) -> np.ndarray:
    """(SIDE, SIDE, 3) stripes, softly lit."""
    x = np.arange(SIDE) + shift
    share = (0.5 + 0.5 * np.sin(x / 9))[None, :, None]
    return np.repeat(share * LIGHT + (1 - share) * DARK, SIDE, 0)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "own.tflite"
    write_segmenter(path, *weights_of(LIGHT, DARK, BROWN, SKIN, BLUE))
    path.with_name("own.tflite.json").write_text(json.dumps({"classes": CLASSES}))
    return path


class Film:
    """The steps of a drawn film, whose wall in frame i is `behind(i)`."""

    def __init__(self, folder: Path, network: Path, behind: Wall) -> None:
        self.notes: list[str] = []
        self.step = Step(
            Path("film.mp4"), folder, PrepareOptions(size=SIDE, segmenter=network, quality=100),
            "masks", lambda *seen: None, self.notes.append, lambda: False,
        )  # fmt: skip
        self.step.make("prepare", "ori_imgs")
        self.truth, meshes = [], []
        for row in range(COUNT):
            pixels, truth, mesh = draw(Drawn(shift=6 * np.sin(row), locks=(True, False)), row)
            pixels = np.where((truth > 0)[..., None], pixels, behind(row)).astype(np.uint8)
            write_picture(self.step.image(row), pixels, 100)
            self.truth.append(truth)
            meshes.append(mesh)
        self.step.save(MESHES, meshes=np.array(meshes), valid=np.ones(COUNT, bool))

    def run(self, keep: bool = False) -> dict[str, Any]:
        return make_background(self.step, range(COUNT)) | write_masks(
            self.step, COUNT, range(COUNT), keep
        )

    def regions(self, row: int) -> np.ndarray:
        return to_regions(read_picture(self.step.parsing(row)))

    def own(self) -> list[Path]:
        return sorted((self.step.folder / "bc_imgs").glob("*.jpg"))


def test_a_film_before_a_still_wall(tmp_path: Path, network: Path) -> None:
    film = Film(tmp_path, network, lambda row: wall(0))
    facts = film.run()
    assert facts["background"] == "still" and facts["segmenter"] == "own.tflite"
    assert film.own() == [] and film.notes == []
    for row in (0, 5):
        for region in (HEAD, TORSO):
            a, b = film.regions(row) == region, film.truth[row] == region
            assert (a & b).sum() / (a | b).sum() > 0.93
    background = read_picture(tmp_path / "bc.jpg")
    seen = np.min([truth == 0 for truth in film.truth], 0)
    assert np.abs(background[seen].astype(int) - wall(0)[seen]).mean() < 4
    # The torso over the background has no holes: outside the head it is the frame.
    laid = over(read_picture(film.step.torso(3), "RGBA"), background)
    outside = seen | (film.regions(3) == TORSO)
    assert np.abs(laid[outside].astype(int) - film.step.pixels(3)[outside]).mean() < 4


@pytest.mark.parametrize(
    ("behind", "kind"),
    [
        (lambda row: wall(0 if row < 6 else 30), "jumps"),
        (lambda row: wall(1.5 * row), "drifts"),
        (lambda row: wall((0, 40, 9, 25, 52, 13, 33, 5, 21, 46)[row]), "moves"),
    ],
)
def test_every_frame_before_a_wall_that_is_not_still_gets_its_own_background(
    tmp_path: Path, network: Path, behind: Wall, kind: str
) -> None:
    film = Film(tmp_path, network, behind)
    facts = film.run()
    assert facts["background"] == kind
    assert len(film.notes) == 1 and "bc_imgs" in film.notes[0]
    assert (facts["jumps"] == [0.24]) == (kind == "jumps")
    assert [path.stem for path in film.own()] == [str(row) for row in range(COUNT)]
    for row in (2, 8):
        own = read_picture(tmp_path / f"bc_imgs/{row}.jpg").astype(float)
        seen = film.truth[row] == 0
        assert np.abs(own - behind(row))[seen].mean() < 4
        assert own[~seen].std(0).max() < 60  # nothing of the person
        assert np.abs(own[~seen].mean(0) - behind(row)[seen].mean(0)).max() < 40


def test_frames_that_are_left_out_do_not_reach_the_background(
    tmp_path: Path, network: Path
) -> None:
    film = Film(tmp_path, network, lambda row: wall(0 if row < 6 else 30))
    facts = make_background(film.step, range(6))
    assert facts["background"] == "still" and film.notes == []
    seen = np.min([truth == 0 for truth in film.truth[:6]], 0)
    background = read_picture(tmp_path / "bc.jpg")
    assert np.abs(background[seen].astype(int) - wall(0)[seen]).mean() < 4


def test_a_stopped_step_keeps_its_files(tmp_path: Path, network: Path) -> None:
    film = Film(tmp_path, network, lambda row: wall(1.5 * row))
    film.run()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    first = read_picture(film.step.parsing(4))
    film.step.parsing(4).unlink()
    (tmp_path / "bc_imgs" / "7.jpg").unlink()
    write_masks(film.step, COUNT, range(COUNT), keep=True)
    changed = {path for path, stamp in before.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {path(row) for row in (4, 7) for path in (film.step.parsing, film.step.torso)}
    assert_array_equal(read_picture(film.step.parsing(4)), first)
    assert len(film.own()) == COUNT
