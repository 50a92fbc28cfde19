"""The file layout: readable by the reference implementation, and safe against any bytes."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from core.errors import AvatarFileError, OutputError
from core.formats import safetensors as layout

TENSORS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "bytes": np.arange(5, dtype=np.uint8),
    "d": np.array([1.5, -2.0]),
    "half": np.ones((1, 3), np.float16),
    "none": np.zeros((0, 3), np.float32),
    "transposed": np.arange(6, dtype=np.int64).reshape(2, 3).T,
}


def pack(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k]) for k in a
    )


def test_the_safetensors_package_reads_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.egs"
    digest = layout.write_tensors(path, TENSORS, {"format": "egs", "note": "ä"})
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    with safe_open(str(path), "np") as file:
        assert same({key: file.get_tensor(key) for key in file.keys()}, TENSORS)  # noqa: SIM118
        assert file.metadata() == {"format": "egs", "note": "ä"}


def test_we_read_what_the_safetensors_package_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = {name: np.ascontiguousarray(array) for name, array in TENSORS.items()}
    save_file(tensors, str(path), {"by": "them"})
    read, metadata, digest = layout.read_tensors(path)
    assert same(read, TENSORS)
    assert metadata == {"by": "them"}
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    first = layout.write_tensors(tmp_path / "1", TENSORS, {"a": "b"})
    assert first == layout.write_tensors(
        tmp_path / "2", dict(reversed(TENSORS.items())), {"a": "b"}
    )


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> object:
    return {"t": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


BROKEN = {
    "empty": b"",
    "short": b"\0" * 7,
    "header longer than the file": struct.pack("<Q", 100) + b"{}",
    "header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "no JSON": pack(b"{" * 40),
    "deep JSON": pack(b"[" * 100_000),
    "no UTF-8": pack(b'{"\xff": 1}'),
    "a list": pack([]),
    "NaN": pack(b'{"t": NaN}'),
    "name twice": pack(b'{"t": 1, "t": 2}'),
    "metadata no text": pack({"__metadata__": {"a": 1}}),
    "metadata a list": pack({"__metadata__": []}),
    "tensor a number": pack({"t": 3}),
    "type unknown": pack(entry("BF16"), b"\0" * 8),
    "type a list": pack(entry([]), b"\0" * 8),
    "shape negative": pack(entry(shape=(-2,)), b"\0" * 8),
    "shape of text": pack(entry(shape="2"), b"\0" * 8),
    "shape too long": pack(entry(shape=(1,) * 40), b"\0" * 4),
    "shape huge": pack(entry(shape=(2**61, 2**61)), b"\0" * 8),
    "number of 5000 digits": pack(b'{"t": ' + b"9" * 5000 + b"}"),
    "true for 1": pack(entry(shape=(True, 2)), b"\0" * 8),
    "wrong size": pack(entry(shape=(3,)), b"\0" * 8),
    "backwards": pack(entry(offsets=(8, 0)), b"\0" * 8),
    "gap": pack(entry(offsets=(8, 16)), b"\0" * 16),
    "overlap": pack({**entry(), "u": entry()["t"]}, b"\0" * 8),  # type: ignore[dict-item,index]
    "cut off": pack(entry(), b"\0" * 7),
    "too long": pack(entry(), b"\0" * 9),
    "long name": pack({"n" * 10_000: {}}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_end_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.egs"
    path.write_bytes(BROKEN[name])
    with pytest.raises(AvatarFileError) as caught:
        layout.read_tensors(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path)) and len(message) < len(str(path)) + 200


def test_a_huge_promise_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.egs"
    path.write_bytes(pack(entry(shape=(2**32,), offsets=(0, 2**34)), b"\0" * 8))
    tracemalloc.start()
    try:
        with pytest.raises(AvatarFileError, match="cut off"):
            layout.read_tensors(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AvatarFileError, match="does not exist"):
        layout.read_tensors(tmp_path / "nowhere.egs")
    with pytest.raises(AvatarFileError, match="is a folder"):
        layout.read_tensors(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AvatarFileError, match="not a plain file"):
        layout.read_tensors(tmp_path / "pipe")
    with pytest.raises(AvatarFileError, match="not a valid path"):
        layout.read_tensors(Path("a\0b"))
    sparse = tmp_path / "sparse.egs"
    sparse.touch()
    os.truncate(sparse, 2**40)
    with pytest.raises(AvatarFileError, match="more than"):
        layout.read_tensors(sparse)


def test_an_unreadable_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.egs"
    layout.write_tensors(path, TENSORS, {})

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so chmod proves nothing
    with pytest.raises(AvatarFileError, match="cannot be read: Permission denied"):
        layout.read_tensors(path)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.egs"
    layout.write_tensors(path, TENSORS, {})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written: File too large"):
            layout.write_tensors(path, {"big": np.zeros(100_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.egs"]


def test_a_place_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="create it first"):
        layout.write_tensors(tmp_path / "no" / "x.egs", TENSORS, {})
    (tmp_path / "folder.egs").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        layout.write_tensors(tmp_path / "folder.egs", TENSORS, {})
    assert os.listdir(tmp_path) == ["folder.egs"]


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_damage_ends_in_an_error_of_ours(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "x.egs"
    layout.write_tensors(path, TENSORS, {"format": "egs"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    path.write_bytes(content[:cut])
    try:
        tensors, _, _ = layout.read_tensors(path)
    except AvatarFileError:
        return
    assert sum(array.nbytes for array in tensors.values()) <= len(content)
