"""Slow, readable writers of compressed splat files: one Gaussian after the other, as the formats'
descriptions say."""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from typing import Any

import numpy as np

from core.records.gaussians import C0, Gaussians

OTHERS = ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))


def _unit(share: float, bits: int) -> int:
    return min(max(round(share * (2**bits - 1)), 0), 2**bits - 1)


def _smallest(quat: Any) -> tuple[int, list[float]]:
    """(which is the largest, the others from -1 to 1) of w, x, y, z."""
    unit = np.asarray(quat, float) / np.linalg.norm(quat)
    largest = int(np.abs(unit).argmax())
    unit = unit * (-1 if unit[largest] < 0 else 1)
    return largest, [unit[i] * math.sqrt(2) for i in OTHERS[largest]]


def _opacity(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def packed_ply(gaussians: Gaussians, degree: int, coloured: bool = True) -> bytes:
    """The compressed .ply of PlayCanvas."""
    n, rest = len(gaussians), (degree + 1) ** 2 - 1
    colours = 0.5 + C0 * gaussians.sh[:, 0].astype(float)
    chunks, rows = b"", b""
    for first in range(0, n, 256):
        part = slice(first, min(first + 256, n))
        means, scales = (
            gaussians.means[part].astype(float),
            gaussians.log_scales[part].astype(float),
        )
        groups = [(means.min(0), means.max(0)), (scales.min(0), scales.max(0))]
        groups.append((colours[part].min(0), colours[part].max(0)) if coloured else (0.0, 1.0))
        for low, high in groups if coloured else groups[:2]:
            chunks += struct.pack("<6f", *low, *high)
        for i in range(part.start, part.stop):
            shares = [
                (values[i] - low) / np.maximum(np.subtract(high, low), 1e-9)
                for values, (low, high) in zip(
                    (gaussians.means, gaussians.log_scales, colours), groups, strict=True
                )
            ]
            place, size, colour = shares
            largest, others = _smallest(gaussians.quats[i])
            turned = largest << 30
            for other, shift in zip(others, (20, 10, 0), strict=True):
                turned |= _unit(other / 2 + 0.5, 10) << shift
            words = [
                _unit(v[0], 11) << 21 | _unit(v[1], 10) << 11 | _unit(v[2], 11)
                for v in (place, size)
            ]
            alpha = _unit(_opacity(gaussians.opacity_logits[i]), 8)
            tone = _unit(colour[0], 8) << 24 | _unit(colour[1], 8) << 16 | _unit(colour[2], 8) << 8
            rows += struct.pack("<4I", words[0], turned, words[1], tone | alpha)
    ends = ["x", "y", "z"], ["scale_x", "scale_y", "scale_z"], ["r", "g", "b"]
    names = [f"{end}_{a}" for axes in ends[: 2 + coloured] for end in ("min", "max") for a in axes]
    lines = ["ply", "format binary_little_endian 1.0", f"element chunk {-(-n // 256)}"]
    lines += [f"property float {name}" for name in names]
    lines += [f"element vertex {n}"]
    lines += [f"property uint packed_{name}" for name in ("position", "rotation", "scale", "color")]
    coded = b""
    if rest:
        lines += [f"element sh {n}", *(f"property uchar f_rest_{i}" for i in range(3 * rest))]
        for row in gaussians.sh[:, 1 : 1 + rest]:
            for value in row.T.ravel():
                coded += bytes([min(max(math.floor((value / 8 + 0.5) * 256), 0), 255)])
    return "\n".join([*lines, "end_header", ""]).encode() + chunks + rows + coded


def ksplat(gaussians: Gaussians, degree: int, level: int, bucket: int = 64) -> bytes:
    """One section. At level 1 and 2 each bucket's centre is the middle of its Gaussians."""
    n, rest = len(gaussians), (degree + 1) ** 2 - 1
    block, reach = 20.0, {0: 1, 1: 32767, 2: 32767}[level]
    number = "f" if level == 0 else "e"
    rows, centres = b"", b""
    count = 0 if level == 0 else -(-n // bucket)
    for i in range(n):
        mean = gaussians.means[i].astype(float)
        if level:
            part = gaussians.means[i // bucket * bucket : (i // bucket + 1) * bucket]
            centre = np.float32((part.min(0) + part.max(0)) / 2)
            if i % bucket == 0:
                centres += struct.pack("<3f", *centre)
            steps = np.rint((mean - centre) / (block / 2 / reach)) + reach
            rows += struct.pack("<3H", *(int(step) for step in steps))
        else:
            rows += struct.pack("<3f", *mean)
        rows += struct.pack(f"<3{number}", *np.exp(gaussians.log_scales[i].astype(float)))
        rows += struct.pack(f"<4{number}", *gaussians.quats[i])
        colour = 0.5 + C0 * gaussians.sh[i, 0]
        rows += bytes(_unit(share, 8) for share in (*colour, _opacity(gaussians.opacity_logits[i])))
        for first, size in ((1, 3), (4, 5), (9, 7))[:degree]:
            for value in gaussians.sh[i, first : first + size].T.ravel():
                if level == 2:
                    rows += bytes([_unit((value + 1.5) / 3, 8)])
                else:
                    rows += struct.pack(f"<{number}", value)
    full = n // bucket if level else 0
    lengths = struct.pack("<I", n % bucket) if level and n % bucket else b""
    header = struct.pack("<BBxxIIIIHxx3f2f", 0, 1, 1, 1, n, n, level, 0, 0, 0, -1.5, 1.5)
    section = struct.pack("<4IfHxxI", n, n, bucket, count, block, 12, reach)
    section += struct.pack("<I2IH", 0, full, len(lengths) // 4, degree)
    assert 3 * rest * n <= len(rows)
    return header.ljust(4096, b"\0") + section.ljust(1024, b"\0") + lengths + centres + rows


def sog(gaussians: Gaussians, degree: int, version: int = 2) -> bytes:
    """Pictures of 16 pixels a row. Tables are even steps; each Gaussian has its own harmonics."""
    n, rest = len(gaussians), (degree + 1) ** 2 - 1
    rows = -(-n // 16)
    logs = np.sign(gaussians.means) * np.log1p(np.abs(gaussians.means.astype(float)))
    files: dict[str, bytes] = {}

    def picture(name: str, values: Any, width: int = 16, height: int = rows) -> str:
        from PIL import Image

        pixels = np.full((height * width, 4), 255, np.uint8)
        pixels[: len(values), : np.shape(values)[1]] = values
        data = io.BytesIO()
        Image.fromarray(pixels.reshape(height, width, 4)).save(
            data, "WEBP", lossless=True, exact=True
        )
        files[name] = data.getvalue()
        return name

    def table(values: Any) -> tuple[float, float, Any]:
        low, high = float(values.min()), float(values.max())
        return low, high, np.rint((values - low) / (high - low) * 255).astype(np.uint8)

    def part(low: float, high: float, names: list[str], channels: int = 0) -> dict[str, Any]:
        if version == 2:
            return {"codebook": np.linspace(low, high, 256).tolist(), "files": names}
        ends = ([low] * channels, [high] * channels) if channels else (low, high)
        return {"mins": ends[0], "maxs": ends[1], "files": names}

    low, high = logs.min(0), logs.max(0)
    words = np.rint((logs - low) / (high - low) * 65535).astype(int)
    turned = []
    for quat in gaussians.quats:
        largest, others = _smallest(quat)
        turned.append([*(_unit(other / 2 + 0.5, 8) for other in others), 252 + largest])
    meta: dict[str, Any] = {
        "means": {
            "shape": [n, 3],
            "mins": low.tolist(),
            "maxs": high.tolist(),
            "files": [picture("l.webp", words % 256), picture("u.webp", words // 256)],
        },
        "quats": {"files": [picture("q.webp", turned)]},
    }
    least, most, coded = table(gaussians.log_scales)
    meta["scales"] = part(least, most, [picture("s.webp", coded)], 3)
    if version == 2:
        meta |= {"version": 2, "count": n}
        least, most, coded = table(gaussians.sh[:, 0])
        alpha = [_unit(_opacity(logit), 8) for logit in gaussians.opacity_logits]
        meta["sh0"] = part(least, most, [picture("c.webp", np.column_stack([coded, alpha]))])
    else:
        both = np.column_stack([gaussians.sh[:, 0], gaussians.opacity_logits])
        least, most, coded = table(both)
        meta["sh0"] = part(least, most, [picture("c.webp", coded)], 4)
    if rest:
        least, most, coded = table(gaussians.sh[:, 1 : 1 + rest])
        height = -(-n // 64)
        names = [picture("n.webp", coded.reshape(-1, 3), 64 * rest, height)]
        names.append(picture("i.webp", [[i % 256, i // 256, 0] for i in range(n)]))
        meta["shN"] = {"count": n, "bands": degree, **part(least, most, names)}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("meta.json", json.dumps(meta))
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()
