"""Files written by torch.save, read without running any code in them. Needs torch."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EgsError, MissingPackageError
from ..records.arrays import Float32, Float64
from ..system.archives import ZIP_ERRORS
from ..system.files import open_regular
from .stand_ins import stand_in

MAX_MEMBERS = 20_000
MAX_PICKLE = 16 * 2**20  # bytes; names and shapes of a few hundred tensors
MAX_VALUES = 2**28  # of one tensor that is copied out: 1 GiB of float32
MAX_POINTS = 2**22  # of one frame
MAX_PIECE = 2**21  # values added up at a time: 8 MiB of float32
# torch before 1.6, and later with _use_new_zipfile_serialization=False: no archive but pickles and
# numbers in a row, so that the whole file is bounded as the pickle of an archive is.
OLD_LAYOUT = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
SAVE_AGAIN = "save it again where it was trained: torch.save(torch.load(FILE), FILE)"


def load_torch(path: Path, error: type[EgsError], limit: int) -> dict[str, Any]:
    """The dictionary in a torch file of at most `limit` bytes. Raises `error` if it is not one; see
    `load_content`."""
    content = load_content(path, error, limit)
    if not is_table(content):
        raise error(f"{path} holds no table of named tensors; give the file that training wrote")
    return dict(content)


def is_table(content: Any) -> bool:
    return isinstance(content, Mapping) and all(isinstance(key, str) for key in content)


def load_content(path: Path, error: type[EgsError], limit: int) -> Any:
    """What torch.save was given: containers, numbers and tensors on the CPU, mapped into memory
    where torch can (not in the layout before 1.6). Raises `error` if the file is of another
    kind, larger than `limit` bytes, or names a class that plain tensors do not need."""
    old = read_old_layout(path, error, limit)
    if old is None:
        check_zip(path, error, limit)
    try:
        import torch
    except ImportError:
        raise MissingPackageError(
            f"reading {path.name} needs PyTorch; install it with: pip install torch"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about containers whose source has changed
            with contextlib.ExitStack() as files:
                source: Any = str(path)
                if old is not None:
                    source = io.BytesIO(old)
                elif not is_text(path):
                    source = files.enter_context(path.open("rb"))
                mapped = isinstance(source, str)
                return torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as cause:
        # Hostile or damaged bytes can make the unpickler raise nearly anything; none of it ran.
        raise error(f"{path} cannot be read as tensors: {_hint(str(cause))}") from None


def is_text(path: Path) -> bool:
    """False for a name with bytes that are no text, which torch cannot open by name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _hint(cause: str) -> str:
    named = re.search(r"GLOBAL ([\w.]{1,80})", cause)
    if named or "nsupported" in cause:
        what = named[1] if named else "classes"
        return (
            f"it names {what}, which tensors do not need; nothing in it was run. Save its tensors "
            "alone where it was trained: torch.save(model.state_dict(), FILE)"
        )
    return "it is damaged; nothing in it was run, copy it again"


def read_old_layout(path: Path, error: type[EgsError], limit: int) -> bytes | None:
    """The file's bytes if it has the layout before torch 1.6, else None."""
    file, size = open_regular(path, error, limit)
    with file:
        if file.read(len(OLD_LAYOUT)) != OLD_LAYOUT:
            return None
        if size > MAX_PICKLE:
            raise error(
                f"{path} has the layout of torch before 1.6, which is read up to "
                f"{MAX_PICKLE / 1e6:.0f} MB; {SAVE_AGAIN}"
            )
        file.seek(0)
        return file.read(MAX_PICKLE)


def check_zip(path: Path, error: type[EgsError], limit: int) -> None:
    """Refuse a file that could unpack to more than its own size, before torch opens it."""
    file, _ = open_regular(path, error, limit)
    start = b""
    try:
        with file:
            start = file.read(512)
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
    except ZIP_ERRORS:
        raise error(f"{path} {_not_zip(start)}") from None
    if any(member.filename.endswith("constants.pkl") for member in members):
        raise error(
            f"{path} is a TorchScript program, which is never run; give the weights alone: "
            "torch.save(model.state_dict(), FILE)"
        )
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    pickles = [m.file_size for m in members if m.filename.endswith(".pkl")]
    if len(members) > MAX_MEMBERS or not stored or max(pickles, default=0) > MAX_PICKLE:
        raise error(
            f"{path} is not laid out as PyTorch writes it; it was packed by something else, "
            "unpack it or copy the original file"
        )


def _not_zip(start: bytes) -> str:
    other = stand_in(start)
    if other:
        return other
    if b"ustar" in start[257:263]:
        return f"has the layout of torch before 0.1.10, which is not read; {SAVE_AGAIN}"
    if start[:1] == b"\x80":
        return (
            "is a Python pickle, which could run anything and is never read; give a file that "
            "torch.save wrote"
        )
    if start[:2] == b"PK":
        return "is cut off or damaged; copy it again"
    return "is not a PyTorch file; give a file that torch.save wrote"


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
