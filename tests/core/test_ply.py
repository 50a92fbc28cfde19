"""3DGS .ply files: ours and others' are read to the bit, and errors name broken ones."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from core.errors import OutputError, PlyError
from core.formats.ply import read_ply
from core.formats.ply_writer import write_ply
from core.records.gaussians import Gaussians
from tests.support.synthetic import random_gaussians

N = 12


def columns(gaussians: Gaussians, rest: int = 45) -> dict[str, np.ndarray]:
    """Property name -> values, as the format names them; built without `core.formats.ply`."""
    out = {axis: gaussians.means[:, i] for i, axis in enumerate("xyz")}
    out |= {f"f_dc_{c}": gaussians.sh[:, 0, c] for c in range(3)}
    per_channel = rest // 3
    for c in range(3):
        for k in range(per_channel):
            out[f"f_rest_{c * per_channel + k}"] = gaussians.sh[:, 1 + k, c]
    out["opacity"] = gaussians.opacity_logits
    out |= {f"scale_{i}": gaussians.log_scales[:, i] for i in range(3)}
    return out | {f"rot_{i}": gaussians.quats[:, i] for i in range(4)}


def header(names: list[str], kind: str = "binary_little_endian", before: str = "") -> str:
    properties = "".join(f"property float {name}\n" for name in names)
    return f"ply\nformat {kind} 1.0\n{before}element vertex {N}\n{properties}end_header\n"


def binary(table: dict[str, np.ndarray], order: str = "<") -> bytes:
    return np.stack(list(table.values()), axis=1).astype(f"{order}f4").tobytes()


def write(path: Path, head: str, body: bytes) -> Path:
    path.write_bytes(head.encode() + body)
    return path


def assert_same(a: Gaussians, b: Gaussians) -> None:
    for name, value in vars(a).items():
        other = getattr(b, name)
        assert other.dtype == np.float32 and np.array_equal(value, other), name


def test_round_trip_is_exact(tmp_path: Path) -> None:
    gaussians = random_gaussians(N)
    write_ply(gaussians, tmp_path / "x.ply")
    assert_same(gaussians, read_ply(tmp_path / "x.ply"))


def test_properties_come_in_any_order_with_others_between(tmp_path: Path) -> None:
    gaussians = random_gaussians(N)
    table = columns(gaussians) | {"nx": np.zeros(N), "confidence": np.full(N, np.nan)}
    table = {name: table[name] for name in sorted(table, reverse=True)}
    path = write(tmp_path / "x.ply", header(list(table)), binary(table))
    assert_same(gaussians, read_ply(path))


def test_big_endian_and_windows_line_ends(tmp_path: Path) -> None:
    gaussians = random_gaussians(N)
    table = columns(gaussians)
    head = header(list(table), "binary_big_endian").replace("\n", "\r\n")
    assert_same(gaussians, read_ply(write(tmp_path / "x.ply", head, binary(table, ">"))))


def test_ascii(tmp_path: Path) -> None:
    gaussians = random_gaussians(N)
    table = columns(gaussians)
    rows = np.stack(list(table.values()), axis=1)
    text = "\n".join(" ".join(f"{v:.9g}" for v in row) for row in rows) + "\n\n"
    path = write(tmp_path / "x.ply", header(list(table), "ascii"), text.encode())
    assert_same(gaussians, read_ply(path))
    other = "element camera 2\nproperty float f\n"
    head = header(list(table), "ascii", other)
    assert_same(gaussians, read_ply(write(path, head, b"1\n2\n" + text.encode())))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_lower_degrees_are_padded_with_zeros(tmp_path: Path, degree: int) -> None:
    gaussians = random_gaussians(N)
    coefficients = (degree + 1) ** 2
    gaussians.sh[:, coefficients:] = 0
    table = columns(gaussians, 3 * (coefficients - 1))
    path = write(tmp_path / "x.ply", header(list(table)), binary(table))
    assert_same(gaussians, read_ply(path))


def test_other_elements_and_types_are_skipped(tmp_path: Path) -> None:
    gaussians = random_gaussians(N)
    table = columns(gaussians)
    head = header(list(table), before="element chunk 2\nproperty uchar a\nproperty double b\n")
    head = head.replace("end_header", "element face 1\nproperty list uchar int i\nend_header")
    body = b"\0" * 18 + binary(table) + b"\3" + b"\0" * 12
    assert_same(gaussians, read_ply(write(tmp_path / "x.ply", head, body)))


def test_the_official_files(shared: Path, tmp_path: Path) -> None:
    source = shared / "official_checkpoint/point_cloud/iteration_4070/point_cloud.ply"
    gaussians = read_ply(source)
    assert len(gaussians) == 37901
    write_ply(gaussians, tmp_path / "x.ply")
    assert (tmp_path / "x.ply").read_bytes() == source.read_bytes()
    reference = read_ply(shared / "reference/reference_point_cloud.ply")
    with np.load(shared / "reference/reference_egstalker.npz") as arrays:
        given = {key.removeprefix("in/"): arrays[key] for key in arrays if key.startswith("in/")}
    assert np.array_equal(reference.means, given["xyz"].reshape(-1, 3))
    assert np.array_equal(reference.sh, given["shs"].reshape(-1, 16, 3))


def changed(old: str, new: str, body: bytes | None = None) -> tuple[str, bytes]:
    table = columns(random_gaussians(N))
    return header(list(table)).replace(old, new), binary(table) if body is None else body


def without(*names: str) -> tuple[str, bytes]:
    table = {k: v for k, v in columns(random_gaussians(N)).items() if k not in names}
    return header(list(table)), binary(table)


def with_value(value: float) -> tuple[str, bytes]:
    gaussians = random_gaussians(N)
    gaussians.log_scales[3:5, 1] = value
    table = columns(gaussians)
    return header(list(table)), binary(table)


COLOURS = [f"f_dc_{i}" for i in range(3)] + [f"f_rest_{i}" for i in range(45)]
REST = [f"f_rest_{i}" for i in range(45)]
POINTS = [*COLOURS, "opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
ASCII_HEAD = header(list(columns(random_gaussians(N))), "ascii")
BROKEN: dict[str, tuple[tuple[str, bytes], str]] = {
    "empty": (("", b""), "does not begin with 'ply'"),
    "other file": (("PK\x03\x04", b""), "does not begin with 'ply'"),
    "no end": (changed("end_header\n", ""), "no end"),
    "header of bytes": (changed("opacity", "öpacity"), "property opacity is missing"),
    "no format": (changed("format binary_little_endian 1.0\n", ""), "names no format"),
    "other format": (changed("little", "middle"), "not understood"),
    "odd type": (changed("float opacity", "quad opacity"), "not understood"),
    "negative": (changed(f"vertex {N}", "vertex -3"), "not understood"),
    "digits": (changed(f"vertex {N}", "vertex " + "9" * 5000), "not understood"),
    "orphan": (changed(f"element vertex {N}\n", ""), "not understood"),
    "no vertex": (changed("element vertex", "element face"), "no element 'vertex'"),
    "list": (changed("float opacity", "list uchar int opacity"), "holds lists"),
    "list before": (
        changed("element vertex", "element f 1\nproperty list uchar int i\nelement vertex"),
        "'f' holds lists",
    ),
    "twice": (changed("float rot_3", "float rot_2"), "appears twice"),
    "none": (changed(f"vertex {N}", "vertex 0", b""), "0 Gaussians"),
    "huge": (changed(f"vertex {N}", "vertex 99999999999999"), f"the file holds {N}"),
    "cut off": (changed("", "", b"\0" * 500), "the file holds 2; it is cut off"),
    "too long": (changed(f"vertex {N}", f"vertex {N - 1}"), f"promises {N - 1}"),
    "no opacity": (without("opacity"), "property opacity is missing: it was not written"),
    "surfels": (without("scale_2"), "2D Gaussian"),
    "points": (without(*POINTS), "ordinary point cloud"),
    "packed": (changed("float f_dc_0", "float packed_color"), "compressed"),
    "rest of 44": (without("f_rest_44"), "44 properties"),
    "rest with a gap": (without("f_rest_3", *REST[10:]), "9 properties"),
    "NaN": (with_value(np.nan), f"2 of {N} Gaussians"),
    "infinity": (with_value(np.inf), f"2 of {N} Gaussians"),
    "ascii short": ((ASCII_HEAD, b"1 " * 3000), f"promises {N}"),
    "ascii huge": ((ASCII_HEAD.replace(f"x {N}", "x 9999999999"), b"1"), "more than"),
    "ascii words": ((ASCII_HEAD, (b"a " * 59 + b"\n") * N), "59 numbers"),
    "ascii ragged": ((ASCII_HEAD, (b"1 " * 59 + b"\n") * (N - 1) + b"1\n" + b" " * 200), "numbers"),
    "ascii NaN": ((ASCII_HEAD, (b"nan " * 59 + b"\n") * N), f"{N} of {N}"),
    "ascii 1e99": ((ASCII_HEAD, (b"1e99 " * 59 + b"\n") * N), f"{N} of {N}"),
    "ascii bytes": ((ASCII_HEAD, (b"\xff " * 59 + b"\n") * N), "59 numbers"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_end_in_one_line(tmp_path: Path, name: str) -> None:
    (head, body), message = BROKEN[name]
    path = write(tmp_path / "x.ply", head, body)
    with pytest.raises(PlyError, match=message) as caught:
        read_ply(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_no_room(tmp_path: Path) -> None:
    with pytest.raises(PlyError, match="does not exist"):
        read_ply(tmp_path / "x.ply")
    with pytest.raises(PlyError, match="is a folder"):
        read_ply(tmp_path)
    with pytest.raises(OutputError, match="create it first"):
        write_ply(random_gaussians(N), tmp_path / "no" / "x.ply")


def test_random_damage_never_escapes(tmp_path: Path) -> None:
    write_ply(random_gaussians(4), tmp_path / "x.ply")
    whole = (tmp_path / "x.ply").read_bytes()
    length = whole.index(b"end_header") + 11
    rng = np.random.default_rng(0)
    refused = 0
    tracemalloc.start()
    try:
        for round_ in range(400):
            content = bytearray(whole)
            if round_ % 2:
                content = bytearray(whole.replace(b"binary_little_endian", b"ascii"))
            for place in rng.integers(0, rng.choice([120, length]), rng.integers(1, 4)):
                content[place] = rng.integers(256)
            (tmp_path / "x.ply").write_bytes(content[: rng.choice([len(content), length + 100])])
            try:
                read_ply(tmp_path / "x.ply")
            except PlyError:
                refused += 1
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
    assert refused > 200
