"""The window's pixels inside Blender: from the virtual screen's file, or Blender's screenshot."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, 3), sRGB, first row on top

# Words of the xwd header, each four bytes with the most significant first.
HEADER_SIZE, HEIGHT, BITS, ROW_BYTES, COLOURS = 0, 5, 11, 12, 19
HEADER_WORDS = 25
COLOUR_BYTES = 12
JPEG_QUALITY = 88


def read_xwd(data: bytes) -> Pixels:
    """A picture in the layout of xwd with 32 bits a pixel, blue first. ValueError otherwise."""
    header = np.frombuffer(data, ">u4", count=HEADER_WORDS)
    if header[BITS] != 32:
        raise ValueError(f"the screen has {header[BITS]} bits a pixel instead of 32; use depth 24")
    height, row = int(header[HEIGHT]), int(header[ROW_BYTES])
    offset = int(header[HEADER_SIZE]) + int(header[COLOURS]) * COLOUR_BYTES
    flat = np.frombuffer(data, np.uint8, count=height * row, offset=offset)
    return flat.reshape(height, row // 4, 4)[:, :, 2::-1].copy()


def of_window(window: Any, framebuffer: Path | None) -> Pixels:
    """The window as the user sees it. ValueError where it is black."""
    if framebuffer is not None:
        screen = read_xwd(framebuffer.read_bytes())
        top = screen.shape[0] - window.y - window.height
        pixels = screen[max(top, 0) :, window.x :][: window.height, : window.width]
    else:
        pixels = _read_by_blender(window)
    if not pixels.any():
        raise ValueError("the window's picture is black; on a virtual screen start without DISPLAY")
    return pixels


def _read_by_blender(window: Any) -> Pixels:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "window.png"
        with bpy.context.temp_override(window=window):
            bpy.ops.screen.screenshot(filepath=str(path))
        return read(path)


def read(path: Path) -> Pixels:
    """A picture file, by Blender."""
    image = bpy.data.images.load(str(path))
    try:
        flat = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(flat)
        width, height = image.size
    finally:
        bpy.data.images.remove(image)
    rows = flat.reshape(height, width, -1)[::-1, :, :3]
    return np.rint(rows * 255.0).astype(np.uint8)


def write_jpeg(path: Path, pixels: Pixels) -> None:
    """By Blender; for pictures of the head, which are large as PNG."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(path.name, width, height)
    try:
        flat = np.ones((height, width, 4), np.float32)
        flat[:, :, :3] = pixels[::-1].astype(np.float32) / 255.0
        image.pixels.foreach_set(flat.ravel())
        image.file_format = "JPEG"
        image.save(filepath=str(path), quality=JPEG_QUALITY)
    finally:
        bpy.data.images.remove(image)


def crop(pixels: Pixels, window: Any, part: Any) -> Pixels:
    """The part of the window that an area or region covers. Its x and y are from the bottom left,
    in units that may be several pixels on a high-resolution screen."""
    scale = pixels.shape[1] / window.width
    left, right = round(part.x * scale), round((part.x + part.width) * scale)
    top = pixels.shape[0] - round((part.y + part.height) * scale)
    bottom = pixels.shape[0] - round(part.y * scale)
    return np.ascontiguousarray(pixels[max(top, 0) : bottom, left:right])
