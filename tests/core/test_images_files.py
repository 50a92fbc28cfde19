"""Writing pictures: colour and alpha by format, and complete files or none."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ArgumentError, OutputError
from core.images.exr import encode_exr
from core.images.files import write_image
from core.images.image import Image, to_linear, to_uint8
from core.images.png import encode_png


@pytest.fixture
def image() -> Image:
    rng = np.random.default_rng(5)
    alpha = rng.uniform(0, 1, (24, 31, 1))
    colour = rng.uniform(0, 1, (24, 31, 3)) * alpha  # premultiplied
    return np.concatenate([colour, alpha], -1).astype(np.float32)


def test_png_is_straight_and_encoded(tmp_path: Path, image: Image) -> None:
    write_image(tmp_path / "a.png", image, "png")
    assert (tmp_path / "a.png").read_bytes() == encode_png(to_uint8(image))


def test_exr_is_premultiplied_and_linear(tmp_path: Path, image: Image) -> None:
    write_image(tmp_path / "a.exr", image, "exr")
    assert (tmp_path / "a.exr").read_bytes() == encode_exr(to_linear(image))


@pytest.mark.parametrize("file_format", ["png", "exr"])
def test_the_same_picture_gives_the_same_bytes(
    tmp_path: Path, image: Image, file_format: str
) -> None:
    for name in ("first", "second"):
        write_image(tmp_path / name, image.copy(), file_format)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("file_format", ["png", "exr"])
@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path,
    image: Image,
    file_format: str,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "frame_0001"
    path.write_bytes(b"what was there")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync" if step == "write" else "replace", full)
    with pytest.raises(OutputError, match=r"frame_0001 cannot be written: No space left") as caught:
        write_image(path, image, file_format)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["frame_0001"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write into any folder"
)
def test_a_read_only_folder_is_named(tmp_path: Path, image: Image) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OutputError, match="cannot be written"):
        write_image(tmp_path / "a.png", image, "png")
    tmp_path.chmod(stat.S_IRWXU)


def test_a_missing_folder_and_a_folder_in_the_way(tmp_path: Path, image: Image) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        write_image(tmp_path / "no" / "a.png", image, "png")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match=r"a\.png cannot be written"):
        write_image(tmp_path / "a.png", image, "png")
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("shape", [(0, 4, 4), (4, 0, 4), (4, 4, 3), (4, 4)])
def test_shapes_that_are_no_picture(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(OutputError, match="shape"):
        write_image(tmp_path / "a.png", np.zeros(shape, np.float32), "png")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("file_format", ["png", "exr"])
def test_values_that_are_no_numbers(tmp_path: Path, image: Image, file_format: str) -> None:
    image[3, 4, 1] = np.nan
    with pytest.raises(OutputError, match="not finite"):
        write_image(tmp_path / "a", image, file_format)
    assert not os.listdir(tmp_path)


def test_an_unknown_format(tmp_path: Path, image: Image) -> None:
    with pytest.raises(ArgumentError, match="choose png or exr"):
        write_image(tmp_path / "a.jpg", image, "jpg")
