"""One talking head: cameras, eyes, landmarks and boxes in memory, frames decoded on demand.

Row i of every table is frame i, at i / 25 s."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..records.arrays import Float32, Float64
from ..records.camera import Camera
from ..system.files import read_bounded
from .cache import ByteCache
from .files import Listing
from .landmarks import lip_box
from .masks import colours_in, head_mask
from .pictures import MAX_BYTES, over, read_picture

Box = tuple[int, int, int, int]
CACHE_BYTES = 256 * 2**20
MASKS = 200  # decoded at most for a box around the head


@dataclass(frozen=True, eq=False)
class Frame:
    """image (H, W, 3) uint8: the target of training, the original inside the head mask and the
    background outside (docs/method.md §3.9). background (H, W, 3) uint8: this frame's torso over
    its own background, or over bc.jpg. head (H, W) bool. original (H, W, 3) uint8. lips: (y0, y1,
    x0, x1) or None if the frame has no landmarks. The arrays are read-only."""

    row: int
    image: NDArray[np.uint8]
    background: NDArray[np.uint8]
    head: NDArray[np.bool_]
    original: NDArray[np.uint8]
    lips: Box | None

    @property
    def protocol_background(self) -> NDArray[np.uint8]:
        """(H, W, 3): the background on which a held-out frame is measured: the original
        outside the head mask grown by one pixel in all eight directions, the background inside."""
        return np.where(grown(self.head)[..., None], self.background, self.original)


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) the mask and its eight neighbours."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    out = rows.copy()
    out[:, 1:] |= rows[:, :-1]
    out[:, :-1] |= rows[:, 1:]
    return out


@dataclass(frozen=True, eq=False, repr=False)
class TrainingClip:
    """focal: pixels; width, height: pixels, the principal point in their middle. *_rows: intact
    frames, ascending: of transforms_train, _val and (if it exists) _more.json. viewmats (F, 4, 4):
    head's frame to camera, NaN where a frame has no pose. eyes (F,): closure in 0..1. landmarks
    (F, 68, 2): x y in pixels, NaN where missing. points (P, 3): initial points on the head's
    surface, in its own frame, decimetres. sound: from row 0 on; sound_more: from row more_start on.
    sound_rows (F,): the row of the sound at each frame, None if it is the frame's own. notes: one
    line for each missing or excluded item."""

    folder: Path
    focal: float
    width: int
    height: int
    train_rows: tuple[int, ...]
    val_rows: tuple[int, ...]
    more_rows: tuple[int, ...]
    viewmats: Float64
    eyes: Float64
    landmarks: Float32
    points: Float64
    sound: Path | None
    sound_more: Path | None
    more_start: int
    notes: tuple[str, ...]
    listing: Listing
    sound_rows: NDArray[np.int64] | None = None
    cache_bytes: int = CACHE_BYTES
    _cache: ByteCache[Frame] = field(init=False)
    _boxes: dict[int, Box | None] = field(init=False, default_factory=dict)
    _backgrounds: _LastBackground = field(init=False, default_factory=lambda: _LastBackground())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cache", ByteCache(self.cache_bytes, _bytes_of))

    def __len__(self) -> int:
        """F, the frames that have a pose."""
        return len(self.viewmats)

    @property
    def sound_length(self) -> int:
        """Rows of the sound that the frames need."""
        if self.sound_rows is None:
            return len(self)
        return max(self.rows_in_sound((*self.train_rows, *self.val_rows, *self.more_rows))) + 1

    def rows_in_sound(self, rows: Sequence[int]) -> list[int]:
        """The rows of the sound at these frames."""
        return list(rows) if self.sound_rows is None else self.sound_rows[list(rows)].tolist()

    def camera(self, row: int) -> Camera:
        """The camera of frame `row`, in the head's frame. CameraError if it has no pose."""
        middle = (self.width / 2, self.height / 2)
        return Camera(self.viewmats[row], self.focal, self.focal, *middle, self.width, self.height)

    def lip_box(self, row: int) -> Box | None:
        """(y0, y1, x0, x1) of the lips; None if the frame has no landmarks."""
        return lip_box(self.landmarks[row], self.width, self.height)

    def frame(self, row: int) -> Frame:
        """Frame `row`, from the cache or decoded now. Thread-safe. DatasetError if one of its files
        is missing or damaged."""
        return self._cache.get(row, self.decode)

    def mask(self, row: int) -> NDArray[np.bool_]:
        """(H, W) the head mask alone, not cached."""
        return head_mask(self.parsing(row))

    def parsing(self, row: int) -> NDArray[np.uint8]:
        """(H, W, 3) the mask's picture, not cached."""
        path = self.listing.parsing.get(row, self.folder / f"parsing/{row}.png")
        return read_picture(path, "RGB", (self.width, self.height))

    def head_box(self, rows: Sequence[int], margin: int = 16) -> Box:
        """(y0, y1, x0, x1): the box around the head masks of `rows`, enlarged by `margin` pixels,
        inside the picture. Of many rows every nth is used, because a head moves slowly.
        DatasetError if none of them has a head."""
        rows = [rows[k] for k in range(0, len(rows), max(1, len(rows) // MASKS))]
        found = [box for box in map(self._mask_box, rows) if box is not None]
        if not found:
            raise DatasetError(
                f"{self.folder / 'parsing'}: no head (blue) in the masks, whose colours are "
                f"{colours_in(self.parsing(rows[0]))}; parse the clip again"
            )
        boxes = np.array(found)
        y0, x0 = boxes[:, [0, 2]].min(0) - margin
        y1, x1 = boxes[:, [1, 3]].max(0) + margin
        return (
            max(int(y0), 0),
            min(int(y1), self.height),
            max(int(x0), 0),
            min(int(x1), self.width),
        )

    def _mask_box(self, row: int) -> Box | None:
        if row not in self._boxes:
            self._boxes[row] = box_of(self.mask(row))
        return self._boxes[row]

    def decode(self, row: int) -> Frame:
        """`frame` without the cache."""
        original = self.original(row)
        head = self.mask(row)
        if not head.any():
            raise DatasetError(
                f"{self.folder / f'parsing/{row}.png'} has no head (blue); its colours are "
                f"{colours_in(self.parsing(row))}"
            )
        background = self._background(row)
        image = np.where(head[..., None], original, background)
        for array in (image, background, head, original):
            array.flags.writeable = False
        return Frame(row, image, background, head, original, self.lip_box(row))

    def original(self, row: int) -> NDArray[np.uint8]:
        """(H, W, 3) the frame as filmed, not cached."""
        path = self.listing.images.get(row, self.folder / f"ori_imgs/{row}.jpg")
        return read_picture(path, "RGB", (self.width, self.height))

    def bare_background(self, row: int) -> NDArray[np.uint8]:
        """(H, W, 3) the frame's own background, or bc.jpg, without a torso; not cached."""
        own = self.listing.backgrounds.get(row) or self.folder / "bc.jpg"
        return read_picture(own, "RGB", (self.width, self.height))

    def _background(self, row: int) -> NDArray[np.uint8]:
        """(H, W, 3) the frame's torso over its own background, or over bc.jpg if it has none."""
        torsos = self.listing.torsos
        torso = next(iter(torsos.values())) if len(torsos) == 1 else torsos.get(row)
        own = self.listing.backgrounds.get(row)

        def read() -> NDArray[np.uint8]:
            size = (self.width, self.height)
            background = read_picture(own or self.folder / "bc.jpg", "RGB", size)
            if torso is None:
                return background
            return over(read_picture(torso, "RGBA", size), background)

        digest = blake2b(b"" if own is None else os.fsencode(own))
        digest.update(b"" if torso is None else read_bounded(torso, DatasetError, MAX_BYTES))
        return self._backgrounds.get(digest.digest(), read)


class _LastBackground:
    """The last torso over its background, identified by the content of the torso's file, because
    many datasets have the same torso in all frames. Thread-safe."""

    def __init__(self) -> None:
        self._last: tuple[bytes, NDArray[np.uint8]] | None = None
        self._lock = threading.Lock()

    def get(self, key: bytes, read: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        with self._lock:
            last = self._last
        if last is None or last[0] != key:
            last = key, read()
            with self._lock:
                self._last = last
        return last[1]


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """(y0, y1, x0, x1) around the set pixels; None if there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _bytes_of(frame: Frame) -> int:
    # The background is counted too, although equal ones are shared, so the bound is safe.
    return sum(a.nbytes for a in (frame.image, frame.background, frame.head, frame.original))
