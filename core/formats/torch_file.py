"""Files written by torch.save, read without running any code in them. Needs torch."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EgsError, MissingPackageError
from ..records.arrays import Float32, Float64
from ..system.files import open_regular

MAX_MEMBERS = 20_000
MAX_PICKLE = 16 * 2**20  # bytes; names and shapes of a few hundred tensors
MAX_VALUES = 2**28  # of one tensor that is copied out: 1 GiB of float32
MAX_POINTS = 2**22  # of one frame
MAX_PIECE = 2**21  # values added up at a time: 8 MiB of float32


def load_torch(path: Path, error: type[EgsError], limit: int) -> dict[str, Any]:
    """The dictionary in a torch file of at most `limit` bytes: memory-mapped tensors on the CPU.
    Raises `error` if it is not one, or names a class that plain tensors do not need."""
    check_zip(path, error, limit)
    try:
        import torch
    except ImportError:
        raise MissingPackageError(
            f"reading {path.name} needs PyTorch; install it with: pip install torch"
        ) from None
    try:
        content = torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
    except Exception as cause:
        # Hostile or damaged bytes can make the unpickler raise nearly anything; none of it ran.
        hint = (
            "it names classes that tensors do not need" if "nsupported" in str(cause) else "damaged"
        )
        raise error(f"{path} cannot be read as tensors ({hint}); nothing in it was run") from None
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise error(f"{path} holds no table of named tensors; give the file that training wrote")
    return dict(content)


def check_zip(path: Path, error: type[EgsError], limit: int) -> None:
    """Refuse a file that could unpack to more than its own size, before torch opens it."""
    file, _ = open_regular(path, error, limit)
    try:
        with file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        raise error(
            f"{path} is not a PyTorch file in the zip layout (torch 1.6 or newer), or is cut off"
        ) from None
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    pickles = [m.file_size for m in members if m.filename.endswith(".pkl")]
    if len(members) > MAX_MEMBERS or not stored or max(pickles, default=0) > MAX_PICKLE:
        raise error(f"{path} is not laid out as PyTorch writes it; it was packed by something else")


def array_of(content: Mapping[str, Any], name: str) -> Float32 | None:
    """A float32 copy of the tensor `name`; None if it is missing, is not a plain tensor of
    floating-point numbers, or claims more values than any real one has."""
    import torch

    tensor: Any = content.get(name)
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        return None
    if not tensor.is_floating_point() or tensor.device.type != "cpu":
        return None
    # A view with stride 0 claims any size without holding it.
    if tensor.numel() > min(MAX_VALUES, tensor.untyped_storage().nbytes() // tensor.element_size()):
        return None
    return np.array(tensor.detach().to(torch.float32).numpy(), np.float32)


def mean_points(content: Mapping[str, Any], name: str) -> Float64 | None:
    """(P, 3) mean over the frames of the tensor `name` (F, P, 3), which may be larger than memory:
    it is read piece by piece. Frames that are not finite do not count. None if there is no such
    tensor, or not one finite frame."""
    import torch

    tensor: Any = content.get(name)
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        return None
    if not tensor.is_floating_point() or tensor.device.type != "cpu":
        return None
    if tensor.ndim != 3 or tensor.shape[2] != 3 or not 1 <= tensor.shape[1] <= MAX_POINTS:
        return None
    if tensor.numel() > tensor.untyped_storage().nbytes() // tensor.element_size():
        return None
    total, count = np.zeros((tensor.shape[1], 3)), 0
    at_once = max(1, MAX_PIECE // (3 * tensor.shape[1]))
    for piece in tensor.detach().split(at_once):
        summed = piece.sum(0, dtype=torch.float64)
        if not torch.isfinite(summed).all():
            piece = piece[torch.isfinite(piece).all(2).all(1)]
            summed = piece.sum(0, dtype=torch.float64)
        total += summed.numpy()
        count += len(piece)
    return total / count if count else None
