"""`python -m core verify`: figures for a good file, one line and exit code 2 for a bad one."""

from __future__ import annotations

import argparse
import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.commands import verify
from core.commands.console import Console
from core.errors import InputError, MissingPackageError
from core.network.official import reference_file
from core.network.official.compare import largest_errors

GOLDEN = Path(__file__).parents[1] / "golden" / "network_egstalker.npz"
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def golden() -> Arrays:
    with np.load(GOLDEN, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    verify.add_arguments(parser)
    args = parser.parse_args(words)
    return verify.run(args, Console(args.json))


def refused(path: Path, *parts: str) -> None:
    """Reading or running the file raises one line that has every part."""
    with pytest.raises(InputError) as caught:
        largest_errors(reference_file.read_reference(path), "numpy")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_json_of_a_good_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(GOLDEN), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["event"] == "done"
    assert found["implementation"] == "numpy" and found["kind"] == "egstalker"
    assert set(found["max_abs_error"]) == {
        *reference_file.FRAME_OUTPUTS,
        *reference_file.STATIC_OUTPUTS,
        "attention",
    }
    assert all(0 <= error <= 1e-5 for error in found["max_abs_error"].values())


def test_text_of_a_good_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(GOLDEN)) == 0
    out = capsys.readouterr().out
    assert "means3D" in out and "all within 1e-05" in out and "NOT" not in out


@pytest.mark.parametrize(
    "name", ["out/means3D", "out/shs", "out/attention", "out/opacity_act", "out/static_shs"]
)
def test_a_wrong_output_is_seen(
    name: str, golden: Arrays, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = golden[name].copy()
    wrong.flat[-1] += 1e-3
    np.savez(tmp_path / "wrong.npz", **{**golden, name: wrong})
    assert run(str(tmp_path / "wrong.npz"), "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["event"], found["code"]) == ("failed", 1)
    errors = found["max_abs_error"]
    assert errors.pop(name.removeprefix("out/")) == pytest.approx(1e-3, abs=1e-5)
    assert max(errors.values()) <= 1e-5
    assert run(str(tmp_path / "wrong.npz")) == 1
    printed = capsys.readouterr()
    assert "TOO LARGE" in printed.out and "NOT all within" in printed.out
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1


def test_torch_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingPackageError, match="pip install torch"):
        run(str(GOLDEN), "--implementation", "torch")


def test_not_a_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.npz", "does not exist")
    refused(tmp_path, "is a folder")
    (tmp_path / "text.npz").write_text("hello")
    refused(tmp_path / "text.npz", "not a complete .npz")
    (tmp_path / "empty.npz").write_bytes(b"")
    refused(tmp_path / "empty.npz", "not a complete .npz")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99, 0.9999])
def test_truncated(part: float, tmp_path: Path) -> None:
    data = GOLDEN.read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: int(len(data) * part)])
    refused(tmp_path / "cut.npz", "not a complete .npz")


def test_flipped_bits_never_end_in_another_error(golden: Arrays, tmp_path: Path) -> None:
    """A flipped bit is refused or changes nothing that is read; nothing else may come out."""
    small = io.BytesIO()
    np.savez(small, **golden)
    data = bytearray(small.getvalue())
    rng = np.random.default_rng(0)
    # Half of them in the directory at the end of the file, the other half anywhere.
    places = [*rng.integers(0, len(data), 20), *rng.integers(len(data) - 12000, len(data), 40)]
    path = tmp_path / "flipped.npz"
    refusals = 0
    for place in places:
        flipped = data.copy()
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            reference_file.read_reference(path)
        except InputError:
            refusals += 1
    assert refusals > 20


BAD: list[tuple[str, Callable[[np.ndarray], np.ndarray | None], str]] = [
    ("in/xyz", lambda a: None, "in/xyz is missing"),
    ("in/xyz", lambda a: a[:0], "in/xyz has shape"),
    ("in/xyz", lambda a: a[:, :2], "in/xyz has shape"),
    ("in/scaling", lambda a: a[:-1], "expected 200 x 3"),
    ("in/shs", lambda a: a.reshape(200, 48), "in/shs has shape"),
    ("in/eye_features", lambda a: a[:1], "in/eye_features has shape"),
    ("in/audio_features", lambda a: a[:, :, :28], "28 features a step"),
    ("in/audio_features", lambda a: a * np.nan, "in/audio_features holds values"),
    ("in/cam_features", lambda a: a.astype(np.int32), "in/cam_features is int32"),
    ("in/cam_features", lambda a: a.astype(np.float64) * 1e200, "not finite"),
    ("in/rotation", lambda a: a.astype(object), "a pickled object"),
    ("in/opacity", lambda a: np.full(a.shape, np.inf, np.float32), "in/opacity holds values"),
    ("out/shs", lambda a: None, "out/shs is missing"),
    ("out/means3D", lambda a: a[:1], "out/means3D has shape"),
    ("out/attention", lambda a: a * np.nan, "out/attention holds values"),
    ("sd/deformation_net.audio_mlp.net.0.taylor_coeffs", lambda a: None, "no network"),
    ("sd/deformation_net.null_vector", lambda a: None, "null_vector is missing"),
    ("sd/deformation_net.null_vector", lambda a: a[..., :9], "null_vector has shape"),
    ("sd/deformation_net.tri_plane.shs.3.bias", lambda a: None, "tri_plane.shs.3.bias is missing"),
    ("sd/deformation_net.pos_deform.3.weight", lambda a: a * np.nan, "pos_deform.3.weight holds"),
    ("sd/deformation_net.pos_deform.3.weight", lambda a: a * 0 + 3e38, "means3D is not finite"),
]


@pytest.mark.parametrize(("name", "change", "text"), BAD)
def test_malformed(
    name: str,
    change: Callable[[np.ndarray], np.ndarray | None],
    text: str,
    golden: Arrays,
    tmp_path: Path,
) -> None:
    changed = change(golden[name])
    arrays = {n: a for n, a in golden.items() if n != name}
    if changed is not None:
        arrays[name] = changed
    np.savez(tmp_path / "bad.npz", **arrays)
    refused(tmp_path / "bad.npz", text)


def test_an_unknown_output_is_named(golden: Arrays, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", **golden, **{"out/hair": golden["out/shs"]})
    refused(tmp_path / "bad.npz", "out/hair")


def npy(shape: str, data: bytes = b"", dtype: str = "<f4") -> bytes:
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (npy("(4000000000000, 3)"), "too large"),
        (npy("(200, 3)", b"\0" * 100), "not as long"),
        (npy("(200, 3)", b"\0" * 2401), "not as long"),
        (npy("(-1, 3)"), "no valid shape"),
        (npy("(" * 3000), "no valid .npy header"),
        (npy("(1, 3)", dtype="nonsense"), "no valid .npy header"),
        (npy("(200, 3)", b"\0" * 2400)[:9], "no valid .npy header"),
        (b"\x93NUMPY\x07\x00junk", "no valid .npy header"),
        (b"", "no valid .npy header"),
    ],
)
def test_a_lying_header_costs_no_memory(
    member: bytes, text: str, golden: Arrays, tmp_path: Path
) -> None:
    path = tmp_path / "lie.npz"
    np.savez(path, **{name: array for name, array in golden.items() if name != "in/xyz"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("in/xyz.npy", member)
    refused(path, "in/xyz", text)
