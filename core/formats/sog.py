"""Reads .sog of PlayCanvas, version 1 and 2: an archive of pictures whose pixels are the Gaussians'
values, and meta.json, which says between what bounds or in which table (developer.playcanvas.com,
"The SOG Format"). Pillow decodes the pictures, so Blender reads it in the worker's Python."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError, PlyError
from ..records.arrays import Float32
from ..records.gaussians import SH_COEFFICIENTS, Gaussians
from ..system.archives import ZIP_ERRORS
from ..system.files import open_regular
from .cloud import Cloud
from .packed_ply import with_largest
from .splat import logits_of
from .splat_kinds import NEXT

MAX_FILE = 2**30  # bytes
MAX_META, MAX_PICTURE = 2**20, 2**28  # bytes of a file in it
MOST = 4_000_000  # Gaussians
MOST_PIXELS = 2**24  # of a picture
Bytes = NDArray[np.uint8]
FORMATS = ("WEBP", "PNG")
PALETTE = 64  # entries in a row of the picture of harmonics
COEFFICIENTS = {1: 3, 2: 8, 3: 15}
LARGEST_FIRST = 252  # alpha of a rotation: 252 and which component is the largest


def read_sog(path: Path) -> Cloud:
    """PlyError if it is not one; MissingPackageError without Pillow."""
    file, _ = open_regular(path, PlyError, MAX_FILE)
    with file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _Sog(archive).cloud()
        except PlyError as error:
            raise PlyError(f"{path} {error}") from None
        except ZIP_ERRORS as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise PlyError(f"{path} is no .sog file, or damaged ({said}); copy it again") from None


class _Sog:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        meta = json.loads(self._bytes("meta.json", MAX_META))
        version = meta.get("version", 1) if isinstance(meta, dict) else None
        if version not in (1, 2):
            raise PlyError(f"is .sog version {version!r}, which is not read; {NEXT}")
        self._meta: Mapping[str, Any] = meta
        shape = self._part("means").get("shape")
        count = meta.get("count") if version == 2 else shape[0] if isinstance(shape, list) else None
        if type(count) is not int or not 0 < count <= MOST:
            raise PlyError(f"promises {count} Gaussians; 1 to {MOST} are read")
        self.count = count

    def cloud(self) -> Cloud:
        low, high = (self._pixels("means", number)[:, :3] for number in (0, 1))
        scales, quats, base = (self._pixels(name) for name in ("scales", "quats", "sh0"))
        if quats[: self.count, 3].min() < LARGEST_FIRST:
            raise PlyError("has rotations that are none; export it again")
        bounds = self._bounds("means", 3)
        sizes, colours = self._table("scales", 3), self._table("sh0", 4)
        rest = self._harmonics() if "shN" in self._meta else None

        def read(start: int, stop: int) -> Gaussians:
            part = slice(start, stop)
            share = (low[part] + 256.0 * high[part]) / 65535
            place = bounds[0] * (1 - share) + bounds[1] * share
            means = np.sign(place) * np.expm1(np.minimum(np.abs(place), 80))
            sh = np.zeros((stop - start, SH_COEFFICIENTS, 3), np.float32)
            channels = np.arange(3)
            sh[:, 0] = colours[base[part, :3], channels]
            if rest is not None:
                labels, palette = rest
                sh[:, 1 : 1 + palette.shape[1]] = palette[labels[part]]
            others = (quats[part, :3] / np.float32(255) - np.float32(0.5)) * np.float32(np.sqrt(2))
            if "codebook" in self._meta["sh0"]:
                logits = logits_of(base[part, 3] / np.float32(255))
            else:
                logits = colours[base[part, 3], 3]
            return Gaussians(
                means.astype(np.float32),
                sizes[scales[part, :3], channels],
                with_largest(others, quats[part, 3] - np.uint8(LARGEST_FIRST)),
                logits,
                sh,
            )

        return Cloud(self.count, read)

    def _harmonics(self) -> tuple[NDArray[np.int64], Float32]:
        """((count,) which entry, (entries, coefficients, 3) of the palette)."""
        palette = self._picture("shN", 0)
        labels = self._pixels("shN", 1).astype(np.int64)
        labels = labels[: self.count, 0] + 256 * labels[: self.count, 1]
        width = palette.shape[1] // PALETTE
        if width not in COEFFICIENTS.values() or palette.shape[1] % PALETTE:
            raise PlyError(f"has harmonics in a picture {palette.shape[1]} wide; export it again")
        entries = palette.reshape(-1, width, palette.shape[2])[:, :, :3]
        if labels.max() >= len(entries):
            raise PlyError("names harmonics that it does not hold; export it again")
        table = self._table("shN", 1)[:, 0]
        return labels, table[entries]

    def _table(self, name: str, channels: int) -> Float32:
        """(256, channels) the value of each byte: of its table, or evenly between bounds."""
        part = self._part(name)
        if "codebook" in part:
            values = self._numbers(part["codebook"], 256, name)
            return np.repeat(values.astype(np.float32)[:, None], channels, axis=1)
        low, high = self._bounds(name, channels)
        share = np.arange(256)[:, None] / 255
        return (low * (1 - share) + high * share).astype(np.float32)

    def _bounds(self, name: str, channels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        part = self._part(name)
        ends = []
        for key in ("mins", "maxs"):
            given = part.get(key)
            listed = given if isinstance(given, list) else [given]
            ends.append(self._numbers(listed, channels, name))
        return ends[0], ends[1]

    @staticmethod
    def _numbers(values: Any, count: int, name: str) -> NDArray[np.float64]:
        plain = isinstance(values, Sequence) and all(type(v) in (int, float) for v in values)
        if not plain or len(values) != count:
            raise PlyError(f"has no {count} numbers for {name} in its meta.json; export it again")
        try:
            found = np.array(values, np.float64)
        except OverflowError:
            found = np.array([np.nan])
        if not (np.abs(found) < 1e6).all():
            raise PlyError(f"has absurd numbers for {name} in its meta.json; export it again")
        return found

    def _part(self, name: str) -> Mapping[str, Any]:
        part = self._meta.get(name)
        if not isinstance(part, dict):
            raise PlyError(f"has no {name!r} in its meta.json; export it again")
        return part

    def _pixels(self, name: str, number: int = 0) -> Bytes:
        """(count or more, 4)"""
        flat = self._picture(name, number).reshape(-1, 4)
        if len(flat) < self.count:
            raise PlyError(f"has a picture of {len(flat)} pixels for {self.count} Gaussians")
        return flat

    def _picture(self, name: str, number: int) -> Bytes:
        """(H, W, 4)"""
        files = self._part(name).get("files")
        if not isinstance(files, list) or len(files) <= number or type(files[number]) is not str:
            raise PlyError(f"names no picture for {name!r} in its meta.json; export it again")
        data = self._bytes(files[number], MAX_PICTURE)
        try:
            return _decoded(data)
        except (Warning, SyntaxError, OSError, ValueError) as error:
            raise PlyError(f"has a damaged picture {files[number][:60]!r} ({error})") from None

    def _bytes(self, name: str, most: int) -> bytes:
        try:
            with self._archive.open(name) as file:
                data = file.read(most + 1)
        except KeyError:
            raise PlyError(f"has no {name[:60]!r} in it, so it is no .sog file; {NEXT}") from None
        if len(data) > most:
            raise PlyError(f"unpacks to more than {most} bytes for {name[:60]!r}")
        return data


def _decoded(data: bytes) -> Bytes:
    """(H, W, 4) of a picture's file. Pillow's errors."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError(
            "a .sog file holds WebP pictures, which need Pillow; install it with: pip install "
            "pillow, or in Blender set up a worker"
        ) from None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's, about large pictures
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise ValueError(f"{picture.width} x {picture.height} pixels")
                return np.asarray(picture.convert("RGBA"))
        except (Image.DecompressionBombError, MemoryError) as error:
            raise ValueError(str(error) or "it does not fit in memory") from None
