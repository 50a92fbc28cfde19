"""What a stream says of its pixels is obeyed: shape, orientation, colours, depth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs PyAV: make prepare")

from core.prepare.video.clock import frames  # noqa: E402
from core.prepare.video.container import Film, film_of  # noqa: E402
from core.prepare.video.picture import Converter  # noqa: E402

from ..support.videos import encoded, turn, whole, write  # noqa: E402

PATCHES = np.array(
    [[200, 60, 50], [60, 170, 70], [50, 70, 190], [205, 160, 135], [128, 128, 128], [235, 235, 235]]
)


def patches() -> np.ndarray:
    """(64, 96, 3) six patches: red, green, blue, skin, grey, nearly white."""
    return PATCHES.astype(np.uint8).reshape(2, 3, 3).repeat(32, 0).repeat(32, 1)


def measured(pixels: np.ndarray) -> np.ndarray:
    """(6, 3) the middles of the patches."""
    return pixels.reshape(2, 32, 3, 32, 3)[:, 8:-8, :, 8:-8].mean((1, 3)).reshape(6, 3)


def first(path: Path) -> tuple[Film, np.ndarray]:
    film = film_of(path)
    frame, _ = next(iter(frames(film, 0, None)))
    return film, whole(film, frame)


def picture(rgb: np.ndarray, pixel: str, matrix: int, full: bool) -> Any:
    """A frame of these RGB values (8 or 16 bits) in another format, by numbers of H.273."""
    kind = "rgb24" if rgb.dtype == np.uint8 else "rgb48le"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format=kind)
    frame = frame.reformat(
        format=pixel, src_colorspace=2, dst_colorspace=matrix, src_color_range=2,
        dst_color_range=2 if full else 1, interpolation="BICUBIC",
    )  # fmt: skip
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("full", [False, True])
def test_matrix_and_range(tmp_path: Path, matrix: int, full: bool) -> None:
    image = picture(patches(), "yuv420p", matrix, full)
    tags = {"colorspace": matrix, "color_range": 2 if full else 1}
    path = encoded(tmp_path / "a.mkv", [image] * 3, options={"crf": "4"}, **tags)
    assert np.abs(measured(first(path)[1]) - PATCHES).max() < 5


@pytest.mark.parametrize(("width", "matrix"), [(96, 5), (1344, 1)])
def test_without_a_matrix_the_size_decides(tmp_path: Path, width: int, matrix: int) -> None:
    wide = patches().repeat(width // 96, 1)
    path = encoded(tmp_path / "a.mkv", [picture(wide, "yuv420p", matrix, False)] * 2)
    pixels = first(path)[1][:, :: width // 96]
    assert np.abs(measured(pixels) - PATCHES).max() < 8


@pytest.mark.parametrize(
    ("codec", "pixel", "name"),
    [
        ("libx264", "yuv420p10le", "a.mp4"),
        ("libx264", "yuv444p", "a.mp4"),
        ("prores_ks", "yuva444p10le", "a.mov"),
        ("ffv1", "bgr0", "a.mkv"),
        ("mjpeg", "yuvj422p", "a.avi"),
        ("libvpx-vp9", "yuv420p", "a.webm"),
        ("libx264", "gray", "a.mkv"),
    ],
)
def test_any_depth_and_format(tmp_path: Path, codec: str, pixel: str, name: str) -> None:
    image = picture(patches(), pixel, 5, pixel.startswith("yuvj"))
    path = encoded(tmp_path / name, [image] * 3, codec, pixel)
    true = PATCHES @ [[0.299], [0.587], [0.114]] if pixel == "gray" else PATCHES
    assert np.abs(measured(first(path)[1]) - true).max() < 9


def light_of(rgb: np.ndarray) -> np.ndarray:
    """cd/m2 in BT.2020 of BT.709 values, as ITU-R BT.2408 shows SDR in HDR: white at 203."""
    matrix = np.array(
        [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    )  # ITU-R BT.2087
    return 203 * (rgb / 255) ** 2.4 @ matrix.T


def as_hlg(light: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100 for a display of 1000 cd/m2."""
    luminance = light @ [0.2627, 0.6780, 0.0593] / 1000
    scene = light / 1000 * (luminance ** (1 / 1.2 - 1))[..., None]
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def as_pq(light: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084."""
    power = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


@pytest.mark.parametrize(("transfer", "curve"), [(18, as_hlg), (16, as_pq)])
def test_hdr_becomes_the_sdr_picture_that_it_shows(
    tmp_path: Path, transfer: int, curve: Any
) -> None:
    codes = np.rint(65535 * curve(light_of(patches()))).astype(np.uint16)
    image = picture(codes, "yuv420p10le", 9, False)
    path = encoded(
        tmp_path / "a.mov", [image] * 3, pixel="yuv420p10le", options={"crf": "4"},
        colorspace=9, color_primaries=9, color_trc=transfer, color_range=1,
    )  # fmt: skip
    film, pixels = first(path)
    found = measured(pixels)
    assert film.colour.name in ("HLG BT.2020", "PQ BT.2020")
    assert np.abs(found[:5] - PATCHES[:5]).max() < 7
    assert 215 < found[5].mean() < 236 and np.ptp(found[5]) < 3  # bent at the knee
    highlights = curve(np.array([203.0, 400, 700, 1000])[:, None] * np.ones((4, 3)))
    white = np.rint(65535 * highlights).astype(np.uint16)[None].repeat(16, 0).repeat(16, 1)
    image = picture(white, "yuv420p10le", 9, False)
    path = encoded(
        tmp_path / "b.mov", [image] * 3, pixel="yuv420p10le",
        colorspace=9, color_primaries=9, color_trc=transfer, color_range=1,
    )  # fmt: skip
    steps = first(path)[1].reshape(16, 4, 16, 3)[4:-4, :, 4:-4].mean((0, 2, 3))
    assert (np.diff(steps) >= 1).all() and steps[-1] >= 254


def test_wide_primaries_without_hdr(tmp_path: Path) -> None:
    codes = np.rint(65535 * (light_of(patches()) / 203) ** (1 / 2.4)).astype(np.uint16)
    image = picture(codes, "yuv420p10le", 9, False)
    path = encoded(
        tmp_path / "a.mov", [image] * 3, pixel="yuv420p10le", options={"crf": "4"},
        colorspace=9, color_primaries=9, color_trc=14, color_range=1,
    )  # fmt: skip
    assert np.abs(measured(first(path)[1]) - PATCHES).max() < 6


@pytest.mark.parametrize("aspect", [Fraction(4, 3), Fraction(15, 16), Fraction(64, 45)])
def test_pixels_that_are_not_square(tmp_path: Path, aspect: Fraction) -> None:
    """A disc is round again, in the whole picture and in a square cut from it."""
    y, x = np.mgrid[:120, :160] + 0.5
    disc = (((x - 80) * float(aspect)) ** 2 + (y - 60) ** 2 < 40**2)[..., None] * np.uint8(
        [220] * 3
    )
    image = av.VideoFrame.from_ndarray(disc, format="rgb24")
    path = encoded(tmp_path / "a.mp4", [image] * 3, sample_aspect_ratio=aspect)
    film, pixels = first(path)
    assert (film.width, film.height) == (round(160 * aspect), 120)
    assert _extent(pixels) == pytest.approx([80, 80], abs=2)
    left = film.width / 2 - 50
    part = (left / film.width, 10 / 120, (left + 100) / film.width, 110 / 120)
    frame, _ = next(iter(frames(film, 0, None)))
    assert _extent(Converter(film, 200, 200, part)(frame)) == pytest.approx([160, 160], abs=3)


def _extent(pixels: np.ndarray) -> list[int]:
    bright = pixels.mean(2) > 110
    return [int(bright.any(0).sum()), int(bright.any(1).sum())]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_turned_and_mirrored(tmp_path: Path, quarters: int, mirrored: bool) -> None:
    stored = patches()
    path = write(tmp_path / "a.mp4", [stored] * 3, None)
    turn(path, quarters, mirrored=mirrored)
    true = np.rot90(stored[:, ::-1] if mirrored else stored, -quarters)
    film, pixels = first(path)
    assert pixels.shape == true.shape == (film.height, film.width, 3)
    assert np.abs(pixels.astype(int) - true).mean() < 6
    assert film.orientation.mirrored == mirrored
    height, width = true.shape[:2]
    part = (16 / width, 24 / height, 48 / width, 56 / height)
    frame, _ = next(iter(frames(film, 0, None)))
    assert np.abs(Converter(film, 32, 32, part)(frame) - true[24:56, 16:48].astype(int)).mean() < 9
