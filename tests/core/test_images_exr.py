"""OpenEXR files: a short decoder reads them, and so does the OpenEXR library if it is installed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.images.exr import encode_exr, encode_layers
from core.images.layers import EMPTY
from tests.support.exr import attributes, channels_in, decoded


def picture(height: int, width: int, scale: float = 1.0) -> NDArray[np.float32]:
    """Smooth, with a little noise: what packs; alpha among it."""
    rng = np.random.default_rng(height * 1000 + width)
    ramp = np.linspace(0, 1, height * width * 4).reshape(height, width, 4)
    return (scale * (ramp + rng.normal(0, 0.01, ramp.shape))).astype(np.float32)


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


def layers(height: int = 37, width: int = 21) -> tuple[NDArray[np.float32], ...]:
    """image, depth with places where nothing is drawn, matte."""
    image = picture(height, width)
    depth = np.float32(0.7) + image[..., 0] / 10
    depth[::3] = EMPTY
    return image, depth, image[..., 1].copy()


def test_depth_is_stored_as_floats_beside_half_colours() -> None:
    image, depth, matte = layers()
    data = encode_layers(image, depth, matte)
    found = channels_in(data)
    kinds = {name: values.dtype.str for name, values in found.items()}
    half = dict.fromkeys(("A", "B", "G", "R"), "<f2")
    assert kinds == {**half, "Z": "<f4", "matte.A": "<f2"}
    assert np.array_equal(found["Z"], depth)  # half floats end at 65504 and have 11 bits
    assert np.array_equal(found["matte.A"], matte.astype(np.float16))
    for k, name in enumerate("RGBA"):
        assert np.array_equal(found[name], image[..., k].astype(np.float16))
    plain = attributes(encode_exr(image))[0]
    assert {k: v for k, v in attributes(data)[0].items() if k != "channels"} == {
        k: v for k, v in plain.items() if k != "channels"
    }


def test_the_library_reads_the_layers(tmp_path: Path) -> None:
    library = pytest.importorskip("OpenEXR", reason="needs OpenEXR, the oracle of the format")
    image, depth, matte = layers()
    path = tmp_path / "a.exr"
    path.write_bytes(encode_layers(image, depth, matte))
    with library.File(str(path)) as file:
        channels = file.channels()
        assert np.array_equal(channels["RGBA"].pixels, image.astype(np.float16))
        assert np.array_equal(channels["Z"].pixels, depth)
        assert np.array_equal(channels["matte.A"].pixels, matte.astype(np.float16))
