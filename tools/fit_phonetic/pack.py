"""The phoneme network of hama 1.7.0, renamed from its own file to this program's names.

asr_waveform.hama: magic, count, then for each tensor the length of its name, the name, type (0
float32, 1 float16), dimensions, place and bytes; the tensors are the end of the file."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FitError

Array = NDArray[Any]

MEMBER = "hama/assets/asr_waveform.hama"
SHA256 = "a9fcfe73e179ca48e399cd76a90a6b3e1887bf5037ecc52b778d13a149563328"
MAX_BYTES = 100 * 2**20
MAGIC = b"HAMAPK\x01\x02"
ADVICE = "give hama's wheel (pip download --no-deps hama==1.7.0) or its asr_waveform.hama"
BLOCKS = 4


def read_bytes(path: Path) -> bytes:
    """The network's file, alone or out of the wheel. FitError if it is not the one of 1.7.0."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel, wheel.open(MEMBER) as member:
                data = member.read(MAX_BYTES)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES)
    except KeyError:
        raise FitError(f"{path} has no {MEMBER}; {ADVICE}") from None
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise FitError(f"{path} cannot be read ({reason}); {ADVICE}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise FitError(f"{path} has the hash {found[:12]}, hama 1.7.0 {SHA256[:12]}; {ADVICE}")
    return data


def parse(data: bytes) -> dict[str, Array]:
    """hama's tensors by hama's names, in their own precision. FitError if `data` is cut off or not
    such a file."""
    try:
        return _parse(data)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError):
        raise FitError(f"the network's file is damaged; {ADVICE}") from None


def _parse(data: bytes) -> dict[str, Array]:
    if not data.startswith(MAGIC):
        raise ValueError(MAGIC)
    entries = []
    (count,) = struct.unpack_from("<I", data, len(MAGIC))
    at = len(MAGIC) + 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        kind, dimensions = struct.unpack_from("<BB", data, at)
        shape = struct.unpack_from(f"<{dimensions}I", data, at + 2)
        at += 2 + 4 * dimensions
        offset, size = struct.unpack_from("<QQ", data, at)
        at += 16
        entries.append((name, np.dtype(("<f4", "<f2")[kind]), shape, offset, size))
    start = len(data) - max(offset + size for *_, offset, size in entries)
    if start < at:
        raise ValueError(start)
    return {
        name: np.frombuffer(data, dtype, size // dtype.itemsize, start + offset).reshape(shape)
        for name, dtype, shape, offset, size in entries
    }


def rename(source: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors as docs/formats.md and core/audio/phonetic_network.py name them; matrices are
    (out, in). No value changes. Constants that the exporter numbered are found by their number."""

    def constant(kind: str, number: int) -> Array:
        return source[f"onnx::{kind}_{number}"]

    model = "acoustic_model.model."
    result: dict[str, Array] = {
        "mel": source["mel_fb"],
        "stem.weight": constant("Conv", 801),
        "stem.bias": constant("Conv", 802),
        "phonemes.weight": source[f"{model}proj.weight"][:, :, 0],
        "phonemes.bias": source[f"{model}proj.bias"],
    }
    for block in range(BLOCKS):
        old, new = f"{model}blocks.{block}.", f"blocks.{block}."
        matrix = 829 + 9 * block
        for name, first in (("ffn1", matrix), ("ffn2", matrix + 7)):
            result[f"{new}{name}.in.weight"] = constant("MatMul", first).T
            result[f"{new}{name}.out.weight"] = constant("MatMul", first + 1).T
            result[f"{new}{name}.in.bias"] = source[f"{old}{name}.fc1.bias"]
            result[f"{new}{name}.out.bias"] = source[f"{old}{name}.fc2.bias"]
        result[f"{new}attention.in.weight"] = constant("MatMul", matrix + 2).T
        result[f"{new}attention.in.bias"] = source[f"{old}attn.in_proj_bias"]
        result[f"{new}attention.out.weight"] = constant("MatMul", matrix + 6).T
        result[f"{new}attention.out.bias"] = source[f"{old}attn.out_proj.bias"]
        for name, theirs in (("in", "pointwise1"), ("out", "pointwise2")):
            result[f"{new}conv.{name}.weight"] = source[f"{old}conv.{theirs}.weight"][:, :, 0]
            result[f"{new}conv.{name}.bias"] = source[f"{old}conv.{theirs}.bias"]
        result[f"{new}conv.depth.weight"] = constant("Conv", 804 + 3 * block)[:, 0]
        result[f"{new}conv.depth.bias"] = constant("Conv", 805 + 3 * block)
        for name, theirs in (
            ("ffn1.norm", "ffn1.norm"),
            ("attention.norm", "attn_norm"),
            ("conv.norm", "conv.norm"),
            ("ffn2.norm", "ffn2.norm"),
            ("norm", "norm"),
        ):
            for part in ("weight", "bias"):
                result[f"{new}{name}.{part}"] = source[f"{old}{theirs}.{part}"]
    return result


def metadata(classes: tuple[str, ...]) -> dict[str, str]:
    return {
        "origin": f"hama 1.7.0 asr_waveform.hama sha256 {SHA256}",
        "licence": "Apache-2.0 AND MIT (network), GPL-3.0-or-later (readout)",
        "classes": " ".join(classes),
        "version": "1",
    }
