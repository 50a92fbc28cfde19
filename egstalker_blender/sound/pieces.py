"""The pieces of sound in a strip: itself, those in a meta strip, and those in a scene that it
plays, each at its place in the outermost scene."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ...core.errors import AudioError
from .windows import VOICES, StripWindow, why_not, window_of


@dataclass(frozen=True, eq=False)
class Piece:
    """A sound or movie strip, and the part of its file that the outermost scene plays."""

    strip: Any
    window: StripWindow


def pieces_of(
    scene: Any, strips: Iterable[Any], with_packed: bool = True, around: tuple[Any, ...] = ()
) -> Iterator[Piece]:
    """Each piece once. A strip that has no sound gives none, nor does a scene that plays itself.
    around: the scenes outside this one. AudioError where a piece cannot be placed."""
    seen = set()
    for strip in strips:
        for piece in _of(scene, strip, with_packed, (*around, scene)):
            key = (piece.window.scene, piece.strip.name, piece.window.left)
            if key not in seen:
                seen.add(key)
                yield piece


def _of(scene: Any, strip: Any, with_packed: bool, around: tuple[Any, ...]) -> Iterator[Piece]:
    if strip.type == "META":
        for inner in strip.strips:
            yield from _of(scene, inner, with_packed, around)
    elif strip.type == "SCENE":
        played = strip.scene
        if strip.scene_input != "SEQUENCER" or played is None or played in around:
            return
        editor = played.sequence_editor
        outer = window_of(scene, strip)
        for piece in pieces_of(played, editor.strips if editor else (), with_packed, around):
            yield Piece(piece.strip, _placed(piece.window, outer, played.frame_start))
    elif strip.type in VOICES and not why_not(scene, strip, strip.name):
        yield Piece(strip, window_of(scene, strip, with_packed))


def _placed(inner: StripWindow, outer: StripWindow, first_frame: int) -> StripWindow:
    """The window in the scene of `outer`, a scene strip. Blender plays the inner scene from its
    first frame, counted at the outer scene's rate, and places inner strips by their seconds."""
    if outer.retimed or inner.retimed:
        name = outer.name if outer.retimed else inner.name
        raise AudioError(
            f"strip {name!r} is retimed and part of a scene strip; remove its retiming, or render "
            "the inner scene to a sound file"
        )
    fps = outer.fps
    begin = outer.skip + first_frame / fps  # seconds of the inner scene at outer.left
    left = outer.left + (inner.left / inner.fps - begin) * fps
    right = left + inner.seconds * fps
    start, stop = max(left, outer.left), min(right, outer.right)
    return replace(
        inner,
        left=start,
        right=max(start, stop),
        skip=inner.skip + (start - left) / fps,
        fps=fps,
        cut=inner.cut or right > outer.right,
        muted=inner.muted or outer.muted,
    )
