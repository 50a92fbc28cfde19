"""The fast CPU rasterisers compared with the oracle.

Reached when this was written: numpy 129 to 164 dB, greatest difference 6e-6; numba 141 to 178 dB,
greatest difference 7e-7. A pixel where rounding decides whether an alpha reaches 1/255 would show
as up to 1/255.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import ArgumentError
from core.images.image import Image
from core.render import reference
from core.render.numpy import spans, tiles
from core.render.picture import finish
from core.render.projection import project
from core.render.rasteriser import MIN_ALPHA, TILE
from tests.support.render_scenes import camera, decibels, hard_cases, head, noise

LEAST = 100.0  # decibels
ROOT = Path(__file__).resolve().parents[2]
CASES = hard_cases()


@pytest.fixture(params=["numpy", "numba"])
def rasterise(request: pytest.FixtureRequest) -> Callable[..., Image]:
    if request.param == "numpy":
        return tiles.rasterise
    pytest.importorskip("numba", reason="numba is not installed")
    from core.render.numba import rasterise as tiles_numba

    return tiles_numba.rasterise


@pytest.mark.parametrize("name", CASES)
def test_hard_scenes(rasterise: Callable[..., Image], name: str) -> None:
    for background in (None, noise()):
        truth = reference.rasterise(CASES[name], camera(), background)
        image = rasterise(CASES[name], camera(), background)
        assert image.dtype == np.float32
        assert decibels(image, truth) >= LEAST
        assert np.abs(image - truth).max() <= 1 / 255


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_degrees(rasterise: Callable[..., Image], degree: int) -> None:
    image = rasterise(head(), camera(), noise(), degree)
    assert decibels(image, reference.rasterise(head(), camera(), noise(), degree)) >= LEAST
    if degree:
        assert decibels(image, rasterise(head(), camera(), noise(), degree - 1)) < 40


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (8, 33), (130, 17)])
def test_sizes(rasterise: Callable[..., Image], size: tuple[int, int]) -> None:
    view = camera(*size)
    truth = reference.rasterise(head(), view)
    assert truth[..., 3].max() > 0.1
    assert decibels(rasterise(head(), view), truth) >= LEAST


def test_principal_point_aside(rasterise: Callable[..., Image]) -> None:
    view = camera()
    aside = type(view)(view.viewmat, view.fx, view.fy, 20.25, 44.5, view.width, view.height)
    truth = reference.rasterise(head(), aside)
    assert decibels(rasterise(head(), aside), truth) >= LEAST


def test_the_same_bits_every_time(rasterise: Callable[..., Image]) -> None:
    first = rasterise(head(), camera(), noise())
    rasterise(head(300, seed=1), camera(40, 20))
    assert np.array_equal(first, rasterise(head(), camera(), noise()))


def test_arguments_are_checked(rasterise: Callable[..., Image]) -> None:
    with pytest.raises(ArgumentError):
        rasterise(head(1), camera(), None, -1)
    with pytest.raises(ArgumentError):
        rasterise(head(1), camera(), noise(3, 3))


def test_numba_threads_change_no_bit() -> None:
    pytest.importorskip("numba", reason="numba is not installed")
    from core.render.numba import rasterise as tiles_numba

    one = tiles_numba.rasterise(head(), camera(), noise(), threads=1)
    for threads in (2, 3, 16):
        many = tiles_numba.rasterise(head(), camera(), noise(), threads=threads)
        assert np.array_equal(one, many)


@pytest.mark.parametrize("size", [(3, 1), (37, 21)])
def test_the_end_of_a_picture_has_the_bits_of_its_twin(size: tuple[int, int]) -> None:
    pytest.importorskip("numba", reason="needs numba")
    from core.render.numba.rasterise import lay_clear, lay_over

    rng = np.random.default_rng(0)
    colour, behind = rng.random((2, *size, 3), np.float32)
    left, image = rng.random(size, np.float32), np.empty((*size, 4), np.float32)
    for lines in ((0, 1), (1, size[0])):  # part by part
        lay_over(*lines, colour, left, behind, image)
    np.testing.assert_array_equal(image, finish(colour, left, behind))
    lay_clear(0, size[0], colour, left, image)
    np.testing.assert_array_equal(image, finish(colour, left, None))


def test_skipped_tiles_hold_nothing_visible() -> None:
    """Every tile of a rect that spans_of_row leaves out, pixel by pixel."""
    ellipses = project(CASES["needles"], camera(), 0)
    left_out = 0
    for row in range(-(-camera().height // TILE)):
        kept = dict(zip(*(a.tolist() for a in spans.spans_of_row(ellipses, row)[:2]), strict=True))
        ends = dict(zip(kept, spans.spans_of_row(ellipses, row)[2].tolist(), strict=True))
        for i in range(0, len(ellipses), 7):
            x0, y0, x1, y1 = ellipses.rects[i]
            if not y0 <= row < y1:
                continue
            for column in set(range(x0, x1)) - set(range(kept.get(i, 0), ends.get(i, 0))):
                y, x = np.mgrid[:TILE, :TILE] + 0.5
                dx = column * TILE + x - ellipses.centres[i, 0]
                dy = row * TILE + y - ellipses.centres[i, 1]
                a, b, c = ellipses.conics[i]
                power = -0.5 * (a * dx * dx + 2 * b * dx * dy + c * dy * dy)
                assert (ellipses.opacities[i] * np.exp(power)).max() < MIN_ALPHA
                left_out += 1
    assert left_out > 100


def run_python(code: str, **environ: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_without_numba_the_error_says_what_to_install() -> None:
    code = """
import sys
sys.modules["numba"] = None
from core.errors import MissingPackageError
try:
    import core.render.numba.rasterise
except MissingPackageError as error:
    print(error)
"""
    said = run_python(code)
    assert "pip install numba" in said
    assert "\n" not in said


def test_numba_never_writes_beside_its_source(tmp_path: Path) -> None:
    """The chosen folder, else the user's, else none."""
    pytest.importorskip("numba", reason="numba is not installed")
    code = """
from core.system import numba_setup
from core.render.numba.bin import distribute
print(numba_setup.CACHED, numba_setup.config.CACHE_DIR, distribute._cache.cache_path, sep="|")
"""
    old = tmp_path / "chosen" / ("0" * 16)  # of sources that no program has used for a month
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    chosen = run_python(code, NUMBA_CACHE_DIR=str(tmp_path / "chosen")).split("|")
    assert chosen[0] == "True"
    assert Path(chosen[1]).parent == tmp_path / "chosen" and not old.exists()
    assert Path(chosen[2]).is_relative_to(chosen[1])
    home = {"XDG_CACHE_HOME": str(tmp_path / "home"), "LOCALAPPDATA": str(tmp_path / "home")}
    users = run_python(code, NUMBA_CACHE_DIR="", HOME=str(tmp_path / "home"), **home).split("|")
    assert Path(users[2]).is_relative_to(tmp_path / "home")
    (tmp_path / "file").write_text("no folder")
    none = run_python(code, NUMBA_CACHE_DIR=str(tmp_path / "file")).split("|")
    assert none[0] == "False"
    assert none[2] == "None"
