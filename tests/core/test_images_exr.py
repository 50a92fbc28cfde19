"""OpenEXR files: a short decoder reads them, and so does the OpenEXR library if it is installed."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.images.exr import encode_exr


def picture(height: int, width: int, scale: float = 1.0) -> NDArray[np.float32]:
    """Smooth, with a little noise: what packs; alpha among it."""
    rng = np.random.default_rng(height * 1000 + width)
    ramp = np.linspace(0, 1, height * width * 4).reshape(height, width, 4)
    return (scale * (ramp + rng.normal(0, 0.01, ramp.shape))).astype(np.float32)


def attributes(data: bytes) -> tuple[dict[str, bytes], int]:
    assert data[:8] == bytes.fromhex("762f3101 02000000")
    position, found = 8, {}
    while data[position]:
        name, kind = data[position:].split(b"\0", 2)[:2]
        position += len(name) + len(kind) + 2
        (size,) = struct.unpack_from("<i", data, position)
        found[name.decode()] = data[position + 4 : position + 4 + size]
        position += 4 + size
    return found, position + 1


def decoded(data: bytes) -> NDArray[np.float32]:
    """(H, W, 4) RGBA of a file with ZIP blocks of 16 rows, each block found by its offset."""
    found, position = attributes(data)
    _, _, right, bottom = struct.unpack("<4i", found["dataWindow"])
    width, height = right + 1, bottom + 1
    channels = found["channels"]
    assert [channels[i * 18 : i * 18 + 2] for i in range(4)] == [b"A\0", b"B\0", b"G\0", b"R\0"]
    assert channels[72:] == b"\0"
    dtype = {1: "<f2", 2: "<f4"}[channels[2]]
    out = np.empty((height, 4, width), np.float32)
    for number, first in enumerate(range(0, height, 16)):
        (offset,) = struct.unpack_from("<Q", data, position + 8 * number)
        row, size = struct.unpack_from("<ii", data, offset)
        assert row == first
        rows = min(16, height - first)
        raw = data[offset + 8 : offset + 8 + size]
        if size < rows * 4 * width * np.dtype(dtype).itemsize:
            steps = np.frombuffer(zlib.decompress(raw), np.uint8).astype(np.int64)
            steps[1:] -= 128
            parted = np.cumsum(steps).astype(np.uint8)
            half = (len(parted) + 1) // 2
            raw = np.stack([parted[:half], parted[half:]], 1).tobytes()
        out[first : first + rows] = np.frombuffer(raw, dtype).reshape(rows, 4, width)
    return out.transpose(0, 2, 1)[..., ::-1]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 50), st.integers(1, 30), st.booleans())
def test_every_value_comes_back(height: int, width: int, full: bool) -> None:
    image = picture(height, width)
    expected = image if full else image.astype(np.float16).astype(np.float32)
    assert np.array_equal(decoded(encode_exr(image, full)), expected)


def test_rows_that_do_not_pack_are_stored() -> None:
    noise = np.random.default_rng(0).uniform(0, 1, (40, 30, 4)).astype(np.float32)
    data = encode_exr(noise, full=True)
    assert len(data) >= 0.8 * noise.nbytes
    assert np.array_equal(decoded(data), noise)
    single = picture(1, 1)
    assert np.array_equal(decoded(encode_exr(single, full=True)), single)


def test_colours_beyond_half_are_clipped_and_not_infinite() -> None:
    values = decoded(encode_exr(picture(3, 3, scale=1e6)))
    assert np.isfinite(values).all()
    assert values.max() == 65504


def test_header() -> None:
    found, _ = attributes(encode_exr(picture(20, 10)))
    assert found["compression"] == b"\x03"
    assert struct.unpack("<4i", found["displayWindow"]) == (0, 0, 9, 19)
    rec_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
    assert struct.unpack("<8f", found["chromaticities"]) == pytest.approx(rec_709)


def test_the_bytes_depend_on_the_pixels_alone() -> None:
    image = picture(20, 30)
    assert encode_exr(np.asfortranarray(image)) == encode_exr(image)


@pytest.mark.parametrize("full", [False, True])
def test_the_library_reads_the_same(tmp_path: Path, full: bool) -> None:
    library = pytest.importorskip("OpenEXR", reason="needs OpenEXR, the oracle of the format")
    image = picture(37, 53)
    path = tmp_path / "a.exr"
    path.write_bytes(encode_exr(image, full))
    with library.File(str(path)) as file:
        pixels = file.channels()["RGBA"].pixels
    assert pixels.dtype == (np.float32 if full else np.float16)
    assert np.array_equal(pixels, image.astype(pixels.dtype))
