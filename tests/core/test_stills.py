"""Splat files of other programs: what is a little wrong is mended and noted, the rest refused."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.avatar.file import load_avatar
from core.cli import main
from core.errors import ArgumentError, PlyError
from core.formats import mended
from core.formats.ply import read_ply
from core.formats.ply_writer import write_ply
from core.formats.spz import HEADER, MAGIC, spz_bytes
from core.formats.stills import OURS, read_still
from core.official.importing import ImportOptions, import_avatar
from core.records.gaussians import C0, Gaussians, activate, deactivate
from core.render.place import Y_DOWN, moved
from tests.support.splat_files import covariances, read_spz
from tests.support.synthetic import random_gaussians

N = 300


def written(path: Path, gaussians: Gaussians) -> Path:
    write_ply(gaussians, path)
    return path


def test_infinite_logits_and_flat_scales_are_bounded(tmp_path: Path) -> None:
    gaussians = random_gaussians(N)
    gaussians.opacity_logits[:90] = np.inf  # alpha 255 of a .splat file
    gaussians.opacity_logits[90:95] = -np.inf
    gaussians.log_scales[:50, 2] = -np.inf
    path = written(tmp_path / "a.ply", gaussians)
    with pytest.raises(PlyError, match="95 of 300"):
        read_ply(path)  # a network needs every row as trained
    still = read_still(path)
    found, notes = still.gaussians, still.notes
    assert len(found) == N
    splats = activate(found)
    assert np.isfinite(splats.scales).all() and (splats.scales > 0).all()
    assert (splats.opacities[:90] > 1 - 1e-6).all() and (splats.opacities[90:95] < 1e-6).all()
    assert np.array_equal(found.opacity_logits[95:], gaussians.opacity_logits[95:])
    assert [note.split()[0] for note in notes] == ["95", "50"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_few_bad_rows_are_left_out_and_counted(tmp_path: Path, value: float) -> None:
    gaussians = random_gaussians(N)
    gaussians.means[[3, 200], 1] = value
    still = read_still(written(tmp_path / "a.ply", gaussians))
    found, notes = still.gaussians, still.notes
    assert np.array_equal(found.means, np.delete(gaussians.means, [3, 200], axis=0))
    assert notes == ("2 of 300 Gaussians are NaN or absurd and were left out",)
    gaussians.log_scales[:4] = 60
    with pytest.raises(PlyError, match=r"5 of 300 .* absurdly large"):
        read_still(written(tmp_path / "a.ply", gaussians))


@pytest.mark.parametrize(("kind", "name", "most"), [("u1", "uchar", 255), ("f4", "float", 1)])
def test_colours_may_be_red_green_and_blue(tmp_path: Path, kind: str, name: str, most: int) -> None:
    gaussians = random_gaussians(N)
    colours = (np.random.default_rng(0).random((N, 3)) * most).astype(kind)
    fields = [(axis, "<f4") for axis in "xyz"] + [(c, kind) for c in ("red", "green", "blue")]
    names = ["opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    rows = np.zeros(N, [*fields, *((field, "<f4") for field in names)])
    for i, axis in enumerate("xyz"):
        rows[axis] = gaussians.means[:, i]
        rows[("red", "green", "blue")[i]] = colours[:, i]
        rows[f"scale_{i}"] = gaussians.log_scales[:, i]
    for i in range(4):
        rows[f"rot_{i}"] = gaussians.quats[:, i]
    rgb = ("red", "green", "blue")
    lines = [f"property {name if f in rgb else 'float'} {f}" for f in rows.dtype.names or ()]
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {N}", *lines, "end_header"]
    path = tmp_path / "a.ply"
    path.write_bytes("\n".join([*head, ""]).encode() + rows.tobytes())
    found = read_still(path).gaussians
    np.testing.assert_allclose(0.5 + C0 * found.sh[:, 0], colours / most, atol=1e-6)
    assert not found.sh[:, 1:].any()
    path.write_bytes(path.read_bytes().replace(b" blue", b" blub"))
    with pytest.raises(PlyError, match="f_dc_0"):
        read_still(path)


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n", " \n"])
def test_headers_in_other_spellings(tmp_path: Path, line_end: str) -> None:
    gaussians = random_gaussians(N)
    whole = written(tmp_path / "a.ply", gaussians).read_bytes()
    head, _, body = whole.partition(b"end_header\n")
    text = head.decode().replace("element vertex", "comment Köpfe\nELEMENT vertex")
    text = text.replace("ply\n", "PLY\n").replace("property float", "Property Float32")
    text = (text + "end_header\n").replace("\n", line_end)
    body = b"\n" + body[1:]  # looks like the other half of a line end
    for bom in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "a.ply").write_bytes(bom + text.encode() + body)
        found = read_ply(tmp_path / "a.ply")
        assert np.array_equal(found.means[1:], gaussians.means[1:])
        assert np.array_equal(found.quats, gaussians.quats)


@pytest.mark.parametrize(
    ("start", "name"), [(b"NGSP", "newer .spz"), (b"glTF", "glTF"), (b"PK\3\4 meta.json", ".sog")]
)
def test_a_renamed_file_is_named_by_its_first_bytes(
    tmp_path: Path, start: bytes, name: str
) -> None:
    (tmp_path / "a.ply").write_bytes(start + b"\0" * 64)
    with pytest.raises(PlyError, match=rf"{name} file"):
        read_still(tmp_path / "a.ply")


@pytest.mark.parametrize(
    ("axes", "unit"), [("y-down", "metre"), ("z-up", "centimetre"), ("y-up", "metre")]
)
def test_any_axes_and_unit_become_the_heads(tmp_path: Path, axes: str, unit: str) -> None:
    gaussians = deactivate(activate(random_gaussians(N)))
    turn = {"y-down": Y_DOWN, "y-up": np.eye(4)}.get(axes)
    if turn is None:
        turn = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    place = turn.copy()
    place[:3] *= {"metre": 0.1, "centimetre": 10}[unit]
    given = deactivate(moved(activate(gaussians), place))
    path = written(tmp_path / "a.ply", given)
    avatar, notes = import_avatar(path, ImportOptions(axes=axes, unit=unit))
    np.testing.assert_allclose(avatar.gaussians.means, gaussians.means, atol=1e-5)
    np.testing.assert_allclose(avatar.gaussians.sh, gaussians.sh, atol=1e-5)
    one, other = (
        covariances(s.quats, s.scales) for s in map(activate, (avatar.gaussians, gaussians))
    )
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-7)
    assert notes[-1] == f"turned from {axes}, {unit}"
    plain, _ = import_avatar(path, ImportOptions())
    assert np.array_equal(plain.gaussians.means, given.means)  # as before


def test_our_own_export_comes_back_upright_and_life_size(tmp_path: Path) -> None:
    gaussians = random_gaussians(N)
    place = Y_DOWN.copy()
    place[:3] *= 0.1
    write_ply(deactivate(moved(activate(gaussians), place)), tmp_path / "a.ply", 3, (OURS,))
    assert main(["convert", str(tmp_path / "a.ply"), str(tmp_path / "a.egs")]) == 0
    found = load_avatar(tmp_path / "a.egs").gaussians
    np.testing.assert_allclose(found.means, gaussians.means, atol=1e-5)


def test_axes_of_a_checkpoint_are_its_own(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="checkpoint"):
        import_avatar(tmp_path, replace(ImportOptions(), axes="z-up"))


def test_too_many_are_thinned_to_the_most_visible(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(mended, "MOST", 100)
    gaussians = random_gaussians(N)
    faint = np.random.default_rng(0).permutation(N)[:200]
    gaussians.opacity_logits[:] = 3
    gaussians.opacity_logits[faint] = -8
    still = read_still(written(tmp_path / "a.ply", gaussians))
    found, notes = still.gaussians, still.notes
    assert np.array_equal(found.means, np.delete(gaussians.means, faint, axis=0))
    assert notes == ("300 Gaussians are too many for a still; the 100 most visible are kept",)


def test_a_splat_file_is_a_still(tmp_path: Path) -> None:
    path = tmp_path / "a.splat"
    row = struct.pack("<6f8B", 1, 2, 3, 0.1, 0.2, 0.0, 255, 128, 0, 255, 255, 128, 64, 128)
    faint = struct.pack("<6f8B", 0, 0, 0, 1, 1, 1, 0, 0, 0, 51, 128, 255, 128, 128)
    path.write_bytes(row + faint)
    still = read_still(path)
    found, splats = still.gaussians, activate(still.gaussians)
    assert (still.axes, still.unit) == ("y-down", "metre")
    assert found.means.tolist() == [[1, 2, 3], [0, 0, 0]]
    np.testing.assert_allclose(splats.scales[:, :2], [[0.1, 0.2], [1, 1]], rtol=1e-6)
    np.testing.assert_allclose(splats.opacities, [1, 0.2], atol=1e-6)
    colours = 0.5 + C0 * found.sh[:, 0]
    np.testing.assert_allclose(colours, [[1, 128 / 255, 0], [0, 0, 0]], atol=1e-6)
    assert found.quats.tolist() == [[127 / 128, 0, -0.5, 0], [0, 127 / 128, 0, 0]]
    assert still.notes == (
        "1 opacities of exactly 0 or 1 were bounded",
        "1 flat sides were bounded",
    )
    path.write_bytes(row + faint[:-1])
    with pytest.raises(PlyError, match="63 bytes are no whole number"):
        read_still(path)
    assert main(["convert", str(path), str(tmp_path / "a.egs")]) == 2
    path.write_bytes(row + faint)
    assert main(["convert", str(path), str(tmp_path / "a.egs")]) == 0
    np.testing.assert_allclose(
        load_avatar(tmp_path / "a.egs").gaussians.means, [[10, -20, -30], [0, 0, 0]]
    )


@pytest.mark.parametrize("degree", [0, 1, 3])
@pytest.mark.parametrize("name", ["a.spz", "renamed.ply"])
def test_an_spz_file_is_a_still(tmp_path: Path, name: str, degree: int) -> None:
    path, gaussians = tmp_path / name, random_gaussians(N)
    path.write_bytes(spz_bytes(gaussians, degree))
    still, slow = read_still(path), read_spz(path.read_bytes())
    found = still.gaussians
    assert (still.axes, still.unit) == ("y-up", "metre")
    np.testing.assert_allclose(found.means, slow["means"], rtol=1e-6)
    np.testing.assert_allclose(found.log_scales, slow["log_scales"], atol=1e-6)
    np.testing.assert_allclose(found.quats, slow["quats"], atol=1e-6)
    np.testing.assert_allclose(activate(found).opacities, slow["opacities"], atol=1e-6)
    np.testing.assert_allclose(found.sh[:, 0], slow["dc"], atol=1e-5)
    rest = (degree + 1) ** 2 - 1
    np.testing.assert_allclose(found.sh[:, 1 : 1 + rest], slow["sh"], atol=1e-6)
    assert not found.sh[:, 1 + rest :].any()


def header(version: int, count: int, degree: int = 0, bits: int = 12) -> bytes:
    return HEADER.pack(MAGIC, version, count, degree, bits, 0, 0)


def test_version_2_of_spz(tmp_path: Path) -> None:
    row = bytes([0, 0, 1, 0, 0, 255, 0, 16, 0]) + bytes([51, 128, 128, 128, 160, 160, 160])
    (tmp_path / "a.spz").write_bytes(gzip.compress(header(2, 1) + row + bytes([255, 128, 128])))
    found = read_still(tmp_path / "a.spz").gaussians
    np.testing.assert_allclose(found.means, [[16, -16, 1]])
    np.testing.assert_allclose(found.quats, [[0, 1, 0, 0]], atol=5e-3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"NGSP" + bytes(60), "a newer .spz file; convert it"),
        (b"hello", "no .spz file"),
        (gzip.compress(b"hello"), "cut off"),
        (gzip.compress(bytes(64)), "no .spz file"),
        (gzip.compress(header(1, 1)), "version 1, which is not read"),
        (gzip.compress(header(3, 0)), "0 Gaussians"),
        (gzip.compress(header(3, 2**31)), "promises 2147483648"),
        (gzip.compress(header(3, 9, degree=9)), "degree 9"),
        (gzip.compress(header(3, 4_000_000, degree=3)), "does not hold"),
        (gzip.compress(header(3, 1) + bytes(64))[:-12], "cut off or damaged"),
    ],
)
def test_broken_spz_files_are_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.spz").write_bytes(data)
    with pytest.raises(PlyError, match=message):
        read_still(tmp_path / "a.spz")
