"""Making the weights of the phonetic features: phonemes to classes, the fit, hama's file."""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PREAMBLE = """
import pathlib, sys
import numpy as np
from tools.fit_phonetic import classes, errors, fit, pack, speech
folder = pathlib.Path(sys.argv[1])
random = np.random.default_rng(0)

def refused(action):
    try:
        action()
    except errors.FitError as error:
        print(error)
    else:
        raise AssertionError("not refused")
"""


def run(program: str, folder: Path) -> str:
    """Output of the program, run beside the scripts; it must end with 0."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + program, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def no_espeak() -> bool:
    try:
        ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
    except OSError:
        return True
    return False


@pytest.mark.skipif(no_espeak(), reason="needs espeak-ng's library")
def test_every_phoneme_of_the_script_is_in_the_table(tmp_path: Path) -> None:
    program = """
speaker = speech.Speaker()
heard = {}
for passage in speech.read_script()[:100]:
    samples, phonemes = speaker.say(passage)
    assert np.isfinite(samples).all() and phonemes
    heard.update({phoneme.name: passage.words for phoneme in phonemes})
unknown = {name: words for name, words in heard.items() if name not in classes.SHAPES}
assert not unknown, unknown
print(len({shape for name in heard for shape in classes.SHAPES[name]}))
"""
    assert run(program, tmp_path) == "22\n"


@pytest.mark.skipif(no_espeak(), reason="needs espeak-ng's library")
def test_the_same_passages_sound_alike_each_time(tmp_path: Path) -> None:
    script = ROOT / "tools" / "fit_phonetic" / "script.tsv"
    lines = [line for line in script.read_text("utf-8").splitlines() if line[0] != "#"]
    program = f"""
for samples, phonemes in speech.speak(speech.read_script()[:3]):
    print(len(samples), float(np.abs(samples).sum()), phonemes[-1])
assert len(speech.read_script()) == {len(lines)}
"""
    first, second = run(program, tmp_path), run(program, tmp_path)
    assert first == second
    assert len(first.splitlines()) == 3


def test_the_classes_are_those_of_the_shipped_file(tmp_path: Path) -> None:
    program = """
from core.audio.phonetic_weights import load_weights
shipped = load_weights()
assert shipped.classes == classes.CLASSES
"""
    run(program, tmp_path)


def test_a_phoneme_of_two_shapes_spends_half_its_time_in_each(tmp_path: Path) -> None:
    program = """
said = [classes.Phoneme(0.04, "aI"), classes.Phoneme(0.12, "_:"), classes.Phoneme(0.16, "odd")]
rows = classes.labels(said, 10)
print(" ".join(classes.CLASSES[k] for k in rows.argmax(1)), rows.sum())
"""
    assert run(program, tmp_path) == "sil sil AA AA IY IY sil sil AH AH 10.0\n"


def test_ridge_finds_a_known_readout(tmp_path: Path) -> None:
    program = """
weight, bias = random.normal(size=(3, 20)), random.normal(size=3)
parts = [(5 * random.normal(size=(n, 4)) + 2).astype(np.float32) for n in (300, 500)]
targets = [(fit.around(x, 2) @ weight.T + bias).astype(np.float32) for x in parts]
found, constant = fit.ridge(parts, targets, steps=2, penalty=1e-3)
assert found.dtype == constant.dtype == np.float32
np.testing.assert_allclose(found, weight, atol=1e-3)
np.testing.assert_allclose(constant, bias, atol=2e-2)
shrunk, _ = fit.ridge(parts, targets, steps=2, penalty=3000)
assert np.linalg.norm(shrunk) < 0.5 * np.linalg.norm(weight)
"""
    run(program, tmp_path)


def test_what_is_not_hamas_network_is_refused_in_one_line(tmp_path: Path) -> None:
    program = """
import zipfile
missing, other, wheel = folder / "none", folder / "other", folder / "other.whl"
other.write_bytes(pack.MAGIC + bytes(99))
with zipfile.ZipFile(wheel, "w") as archive:
    archive.writestr("hama/__init__.py", "")
for path in (missing, other, wheel, folder):
    refused(lambda: pack.read_bytes(path))
refused(lambda: pack.parse(pack.MAGIC + b"\\1\\0\\0\\0\\4"))
refused(lambda: pack.parse(b"something else"))
"""
    lines = run(program, tmp_path).splitlines()
    assert len(lines) == 6
    assert all("hama==1.7.0" in line for line in lines)
    assert "none cannot be read" in lines[0]
    assert "has the hash" in lines[1]
    assert "other.whl has no hama/assets/asr_waveform.hama" in lines[2]


def test_a_missing_espeak_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    program = """
def absent(name):
    raise OSError(name)

speech.ctypes.CDLL = absent
refused(speech.Speaker)
"""
    assert "apt-get install espeak-ng" in run(program, tmp_path)


def test_tensors_are_read_where_the_directory_says(tmp_path: Path) -> None:
    program = """
import struct
def entry(name, kind, shape, offset, size):
    head = struct.pack("<H", len(name)) + name + struct.pack("<BB", kind, len(shape))
    return head + struct.pack(f"<{len(shape)}I", *shape) + struct.pack("<QQ", offset, size)

one, two = np.arange(6, dtype="<f4"), np.arange(4, dtype="<f2")
data = pack.MAGIC + struct.pack("<I", 2) + entry(b"one", 0, (2, 3), 0, 24)
data += entry(b"two", 1, (4,), 24, 8) + bytes(5) + one.tobytes() + two.tobytes()
found = pack.parse(data)
assert found["one"].dtype == np.float32 and found["two"].dtype == np.float16
np.testing.assert_array_equal(found["one"], one.reshape(2, 3))
np.testing.assert_array_equal(found["two"], two)
"""
    run(program, tmp_path)


def test_only_the_shipped_tensors_pass_for_the_shipped_file(tmp_path: Path) -> None:
    program = """
from core.audio.phonetic_weights import PATH
from core.formats.safetensors import read_tensors
from tools.fit_phonetic import __main__ as fit_phonetic
tensors = dict(read_tensors(PATH)[0])
assert fit_phonetic.compare(tensors)
near = tensors["readout.weight"] * np.float32(1.0001)
assert fit_phonetic.compare({**tensors, "readout.weight": near})
assert not fit_phonetic.compare({**tensors, "readout.weight": -near})
other = tensors["stem.bias"].copy()
other[0] += 1
assert not fit_phonetic.compare({**tensors, "stem.bias": other})
assert not fit_phonetic.compare({n: t for n, t in tensors.items() if n != "stem.bias"})
"""
    assert "differ: stem.bias" in run(program, tmp_path)


def test_the_command_ends_with_one_line_where_the_weights_are_missing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tools.fit_phonetic",
        str(tmp_path / "none"),
        str(tmp_path / "out"),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
