"""Packing of pictures: every packer keeps every byte, and the fast one is optional."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from core.images import packing
from core.images.exr import encode_exr
from core.images.png import encode_png
from tests.core.test_images_exr import decoded


@pytest.fixture
def fresh() -> Iterator[None]:
    packing.packers.cache_clear()
    yield
    packing.packers.cache_clear()


def head(height: int = 200, width: int = 300) -> NDArray[np.uint8]:
    """(H, W, 4), smooth with a little noise."""
    ramp = np.linspace(0, 200, height * width * 4).reshape(height, width, 4)
    return (ramp + np.random.default_rng(0).integers(0, 4, ramp.shape)).astype(np.uint8)


def test_every_packer_keeps_every_byte() -> None:
    assert list(packing.packers())[-1] == "zlib"
    for shape in [(1, 1), (1, 70_000), (333, 257)]:
        data = np.random.default_rng(1).integers(0, 9, shape, np.uint8)
        for pack in packing.packers().values():
            assert zlib.decompress(pack(data, 2)) == data.tobytes()
            assert pack(data, 2) == pack(data.copy(), 2)


def test_the_fast_one_is_taken_and_packs_as_well() -> None:
    pytest.importorskip("isal", reason="needs isal")
    assert next(iter(packing.packers())) == "ISA-L"
    data = np.diff(head(), axis=0)
    sizes = {name: len(pack(data, 2)) for name, pack in packing.packers().items()}
    assert sizes["ISA-L"] < 1.1 * sizes["zlib"]


def test_without_it_zlib_packs(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As inside Blender. The pictures are the same, whatever the bytes are."""
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, the oracle of PNG")
    pixels = head()
    linear = (pixels / np.float32(255)).astype(np.float32)
    fast = encode_png(pixels), encode_exr(linear)
    packing.packers.cache_clear()
    monkeypatch.setitem(sys.modules, "isal", None)
    plain = encode_png(pixels), encode_exr(linear)
    assert list(packing.packers()) == ["zlib"]
    for data in (fast[0], plain[0]):
        with image.open(io.BytesIO(data)) as picture:
            assert np.array_equal(np.asarray(picture), pixels)
    assert np.array_equal(decoded(fast[1]), decoded(plain[1]))
