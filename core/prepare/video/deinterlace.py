"""Whole pictures of interlaced ones, by libav's bwdif."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

Timed = tuple[float, Any]  # seconds since the film's zero, PyAV's frame


def progressive(pictures: Iterator[Timed]) -> Iterator[Timed]:
    """The pictures, interlaced ones deinterlaced, others untouched: one for each, with its time."""
    graph: Any = None
    source: tuple[int, int, str] | None = None
    times: deque[float] = deque()
    for count, (time, frame) in enumerate(pictures):
        if graph is None and not frame.interlaced_frame:
            yield time, frame
            continue
        found = (frame.width, frame.height, frame.format.name)
        if found != source:
            if graph is not None:
                graph.vpush(None)
                yield from _finished(graph, times)
            graph, source = _deinterlacer(*found), found
        frame.pts = count  # the filter only wants an order
        times.append(time)
        graph.vpush(frame)
        yield from _finished(graph, times)
    if graph is not None:
        graph.vpush(None)
        yield from _finished(graph, times)


def _finished(graph: Any, times: deque[float]) -> Iterator[Timed]:
    """What the filter has ready; it waits for the next picture before it gives one out."""
    import av

    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield times.popleft(), frame


def _deinterlacer(width: int, height: int, pixel: str) -> Any:
    from av.filter import Graph

    graph = Graph()
    nodes = [
        graph.add("buffer", video_size=f"{width}x{height}", pix_fmt=pixel, time_base="1/25"),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph
