"""Writes 3DGS .ply files: the layout of the official code, which every splat tool reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..records.gaussians import Gaussians
from ..system.files import write_atomic
from .ply import COLOUR, POSITION, ROTATION, SCALE


def write_ply(
    gaussians: Gaussians, path: str | Path, degree: int = 3, comments: Sequence[str] = ()
) -> None:
    """float32 values, 62 a Gaussian at degree 3, binary little endian, written atomically.
    comments: lines for the header. OutputError if the file cannot be written."""
    head, rows = ply_parts(gaussians, degree, comments)
    write_atomic(Path(path), [head, rows])


def ply_parts(
    gaussians: Gaussians, degree: int = 3, comments: Sequence[str] = ()
) -> tuple[bytes, memoryview]:
    """(header, rows) of a file: raw values, f_rest channel-major (docs/method.md §4)."""
    n, rest = len(gaussians), (degree + 1) ** 2 - 1
    names = [*POSITION, "nx", "ny", "nz", *COLOUR, *(f"f_rest_{i}" for i in range(3 * rest))]
    names += ["opacity", *SCALE, *ROTATION]
    columns = (
        gaussians.means,
        np.zeros((n, 3), np.float32),
        gaussians.sh[:, 0],
        gaussians.sh[:, 1 : 1 + rest].transpose(0, 2, 1).reshape(n, 3 * rest),
        gaussians.opacity_logits[:, None],
        gaussians.log_scales,
        gaussians.quats,
    )
    rows = np.concatenate(columns, axis=1).astype("<f4", copy=False)
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {text}" for text in comments)]
    lines += [f"element vertex {n}", *(f"property float {name}" for name in names)]
    lines += ["end_header", ""]
    return "\n".join(lines).encode("ascii"), memoryview(np.ascontiguousarray(rows)).cast("B")
