"""One picture of a film as an array: a part of it, upright, in square pixels, in BT.709.

libav cuts, scales and converts in one pass, and only what is shown."""

from __future__ import annotations

from typing import Any

from ...errors import VideoError
from ..pictures import Pixels
from .colour import needs_mapping, to_bt709
from .container import MAX_PIXELS, Film
from .orientation import Rectangle

WHOLE: Rectangle = (0.0, 0.0, 1.0, 1.0)
SCALING = "lanczos+accurate_rnd+full_chroma_int"


class Converter:
    """Makes (height, width, 3) RGB of `part` of the upright picture, in shares of it."""

    def __init__(self, film: Film, width: int, height: int, part: Rectangle = WHOLE) -> None:
        self._film = film
        swapped = film.orientation.transposed
        self._size = (height, width) if swapped else (width, height)
        self._part = film.orientation.stored(part)
        self._mapped = needs_mapping(film.colour)
        self._source: tuple[int, int, str] | None = None
        self._graph: Any = None

    def __call__(self, frame: Any) -> Pixels:
        """The pixels of PyAV's frame. Its size may differ from that of the frame before."""
        source = (frame.width, frame.height, frame.format.name)
        if source != self._source:
            self._graph, self._source = self._made(*source), source
        frame.pts = None  # only the picture passes here; times that jump back disturb a graph
        self._graph.vpush(frame)
        pixels = self._graph.vpull().to_ndarray()
        if self._mapped:
            pixels = to_bt709(pixels, self._film.colour)
        return self._film.orientation.upright(pixels)

    def _made(self, width: int, height: int, pixel: str) -> Any:
        from av.filter import Graph

        if width * height > MAX_PIXELS:
            raise VideoError(f"{self._film.path} has pictures of {width}x{height}; make it smaller")
        x0, y0, x1, y1 = self._part
        left, top = round(x0 * width), round(y0 * height)
        right, bottom = max(round(x1 * width), left + 1), max(round(y1 * height), top + 1)
        colour = self._film.colour
        graph = Graph()
        nodes = [
            graph.add("buffer", video_size=f"{width}x{height}", pix_fmt=pixel, time_base="1/1000"),
            graph.add("crop", f"{right - left}:{bottom - top}:{left}:{top}:exact=1"),
            graph.add(
                "scale",
                f"{self._size[0]}:{self._size[1]}:flags={SCALING}:in_color_matrix={colour.matrix}"
                f":in_range={'full' if colour.full else 'limited'}:out_range=full",
            ),
            graph.add("format", "rgb48le" if self._mapped else "rgb24"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        return graph
