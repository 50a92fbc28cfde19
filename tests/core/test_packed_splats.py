"""Compressed splat files: read within the steps that they were written in, whatever is wrong with
them refused in one line."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.cli import main
from core.errors import MissingPackageError, PlyError
from core.formats import cloud, mended
from core.formats.ply import read_ply
from core.formats.ply_writer import write_ply
from core.formats.stills import Still, read_still
from core.official.request import source_of
from core.records.gaussians import Gaussians, activate
from tests.support.packed_splats import ksplat, packed_ply, sog
from tests.support.splat_files import covariances
from tests.support.synthetic import random_gaussians

N = 300


def check(still: Still, given: Gaussians, degree: int, steps: dict[str, float]) -> None:
    """steps: half of what the file rounds to."""
    found, k = still.gaussians, (degree + 1) ** 2
    assert len(found) == len(given) and not found.sh[:, k:].any()
    np.testing.assert_allclose(found.means, given.means, atol=steps["means"])
    np.testing.assert_allclose(found.log_scales, given.log_scales, atol=steps["scales"])
    np.testing.assert_allclose(found.sh[:, 0], given.sh[:, 0], atol=steps["colours"])
    np.testing.assert_allclose(found.sh[:, 1:k], given.sh[:, 1:k], atol=steps["sh"])
    opacities = activate(found).opacities - activate(given).opacities
    assert np.abs(opacities).max() <= steps.get("opacities", 0.51 / 255)
    sizes = np.array([[1, 2, 3]] * len(given))
    turned = covariances(found.quats, sizes) - covariances(given.quats, sizes)
    assert np.abs(turned).max() < steps["turns"]


@pytest.mark.parametrize(("degree", "coloured"), [(0, True), (0, False), (1, True), (3, True)])
def test_a_compressed_ply(tmp_path: Path, degree: int, coloured: bool) -> None:
    given, path = random_gaussians(N), tmp_path / "a.compressed.ply"
    if not coloured:
        given.sh[:, 0] = np.clip(given.sh[:, 0], -1.7, 1.7)
    path.write_bytes(packed_ply(given, degree, coloured))
    still = read_still(path)
    assert (still.axes, still.unit) == ("y-down", "metre")
    spans = np.ptp(given.means), np.ptp(given.log_scales), 1.0 if not coloured else 2.0
    check(still, given, degree, {
        "means": spans[0] / 2000, "scales": spans[1] / 2000, "colours": spans[2] / 140,
        "sh": 8 / 256, "turns": 0.02,
    })  # fmt: skip
    with pytest.raises(PlyError, match="in another order"):
        read_ply(path)  # a network needs its own order


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_ksplat(tmp_path: Path, degree: int, level: int) -> None:
    given, path = random_gaussians(N), tmp_path / "a.ksplat"
    np.clip(given.sh[:, 1:], -1.5, 1.5, out=given.sh[:, 1:])
    given.sh[:, 0] = np.clip(given.sh[:, 0], -1.7, 1.7)
    path.write_bytes(ksplat(given, degree, level))
    still = read_still(path)
    assert (still.axes, still.unit) == ("y-down", "metre")
    check(still, given, degree, {
        "means": [1e-6, 3e-4, 3e-4][level], "scales": [1e-5, 1e-3, 1e-3][level],
        "colours": 0.51 / 255 / 0.28, "sh": [1e-6, 1e-3, 0.51 * 3 / 255][level],
        "turns": [1e-5, 0.02, 0.02][level],
    })  # fmt: skip


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("degree", "name"), [(0, "a.sog"), (1, "a.sog"), (3, "renamed.ply")])
def test_a_sog(tmp_path: Path, degree: int, name: str, version: int) -> None:
    pytest.importorskip("PIL", reason="needs Pillow")
    given, path = random_gaussians(N), tmp_path / name
    path.write_bytes(sog(given, degree, version))
    still = read_still(path)
    assert (still.axes, still.unit) == ("y-up", "metre")
    span = np.ptp(np.column_stack([given.sh[:, 0], given.opacity_logits]))
    check(still, given, degree, {
        "means": 2e-3, "scales": np.ptp(given.log_scales) / 500,
        "colours": (span if version == 1 else np.ptp(given.sh[:, 0])) / 500,
        "sh": np.ptp(given.sh[:, 1:]) / 500, "turns": 0.1,
        "opacities": span / 1000 if version == 1 else 0.51 / 255,
    })  # fmt: skip


def test_blender_reads_a_sog_in_the_worker(tmp_path: Path) -> None:
    assert source_of(tmp_path / "a.SOG").needs == "pillow"
    assert not source_of(tmp_path / "a.ksplat").needs


def test_a_sog_without_pillow_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL", reason="needs Pillow")
    path = tmp_path / "a.sog"
    path.write_bytes(sog(random_gaussians(9), 0))
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingPackageError, match=r"pip install\s+pillow"):
        read_still(path)


def changed(data: bytes, **parts: Any) -> bytes:
    """The archive with other entries in its meta.json."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(out, "w") as archive:
        for name in given.namelist():
            content = given.read(name)
            if name == "meta.json":
                content = json.dumps({**json.loads(content), **parts}).encode()
            archive.writestr(name, content)
    return out.getvalue()


def test_broken_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("PIL", reason="needs Pillow")
    given = random_gaussians(N)
    packed, archive, sections = packed_ply(given, 1), sog(given, 1), ksplat(given, 0, 1)
    cases = [
        ("a.ply", packed[:-1], "cut off"),
        ("a.ply", packed.replace(b"element chunk 2", b"element chunk 1"), "do not belong together"),
        ("a.ply", packed.replace(b"uint packed_scale", b"int packed_scale"), "packed_scale"),
        ("a.ksplat", sections[:-1], "cut off"),
        ("a.ksplat", bytes(64), "zeros"),
        ("a.ksplat", b"\0\2" + sections[2:], "no .ksplat file of version 0.1"),
        ("a.ksplat", sections[:4108] + struct.pack("<I", 1) + sections[4112:], "promises|belong"),
        ("a.sog", archive[:-40], "no .sog file, or damaged"),
        ("a.sog", changed(archive, version=3), "version 3"),
        ("a.sog", changed(archive, count=10**9), "promises 1000000000"),
        ("a.sog", changed(archive, count=N + 200), "a picture of 304 pixels for 500"),
        ("a.sog", changed(archive, scales={"files": ["../s.webp"]}), "no 256 numbers|'../s.webp'"),
        ("a.sog", changed(archive, sh0={"codebook": [1e300] * 256, "files": ["c.webp"]}), "absurd"),
    ]
    for name, data, said in cases:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(PlyError, match=said) as caught:
            read_still(tmp_path / name)
        assert "\n" not in str(caught.value)
    (tmp_path / "b.zip.ply").write_bytes(b"PK\3\4 something")
    assert main(["convert", str(tmp_path / "b.zip.ply"), str(tmp_path / "b.egs")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_memory_of_a_large_file_is_that_of_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 Gaussians of which 5,000 stay: not even the file's bytes are in memory at once."""
    monkeypatch.setattr(mended, "MOST", 5000)
    monkeypatch.setattr(cloud, "BLOCK", 2000)
    path = tmp_path / "a.ply"
    write_ply(random_gaussians(100_000), path, 3)
    tracemalloc.start()
    still = read_still(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(still.gaussians) == 5000 and "100000 Gaussians are too many" in still.notes[0]
    assert peak < path.stat().st_size / 3
