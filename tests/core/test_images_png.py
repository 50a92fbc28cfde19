"""PNG files: Pillow reads back every bit; the bytes depend on the pixels alone."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.images.png import encode_png, write_png


def noise(height: int, width: int, channels: int, kind: Any = np.uint8) -> NDArray[Any]:
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, np.iinfo(kind).max, (height, width, channels), kind, endpoint=True)


def chunks(data: bytes) -> dict[bytes, bytes]:
    """Kind -> content, with every checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position, found = 8, {}
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        found[kind] = data[position + 8 : position + 8 + size]
        (check,) = struct.unpack_from(">I", data, position + 8 + size)
        assert check == zlib.crc32(kind + found[kind])
        position += size + 12
    return found


def decoded(data: bytes) -> NDArray[Any]:
    """The pixels of a file whose rows are all differences to the row above."""
    found = chunks(data)
    width, height, depth, colour = struct.unpack_from(">IIBB", found[b"IHDR"])
    channels = {2: 3, 6: 4}[colour]
    raw = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (raw[:, 0] == 2).all()
    rows = np.cumsum(raw[:, 1:], axis=0, dtype=np.uint8)
    return rows.view(">u2" if depth == 16 else np.uint8).reshape(height, width, channels)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([3, 4]),
    st.sampled_from([np.uint8, np.uint16]),
)
def test_every_pixel_comes_back(height: int, width: int, channels: int, kind: Any) -> None:
    pixels = noise(height, width, channels, kind)
    assert np.array_equal(decoded(encode_png(pixels)), pixels)


@pytest.mark.parametrize("channels", [3, 4])
def test_pillow_reads_the_same(tmp_path: Path, channels: int) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, the oracle of PNG")
    pixels = noise(33, 57, channels)
    write_png(tmp_path / "a.png", pixels, {"Comment": "Überblick"})
    with image.open(tmp_path / "a.png") as picture:
        assert picture.mode == ("RGB" if channels == 3 else "RGBA")
        assert picture.text == {"Comment": "Überblick"}
        assert "srgb" in picture.info
        assert np.array_equal(np.asarray(picture), pixels)


def test_pillow_reads_16_bits() -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, the oracle of PNG")
    pixels = noise(9, 8, 3, np.uint16)
    with image.open(io.BytesIO(encode_png(pixels))) as picture:  # which keeps the high byte
        assert np.abs(np.asarray(picture).astype(int) - pixels // 256).max() <= 1


def test_the_bytes_depend_on_the_pixels_alone(tmp_path: Path) -> None:
    pixels = noise(20, 30, 4)
    views = (pixels, np.asfortranarray(pixels), np.repeat(pixels, 2, 1)[:, ::2])
    for number, view in enumerate(views):
        write_png(tmp_path / f"{number}.png", view)
    assert len({(tmp_path / f"{number}.png").read_bytes() for number in range(3)}) == 1
    assert set(chunks(encode_png(pixels))) == {b"IHDR", b"sRGB", b"IDAT", b"IEND"}
