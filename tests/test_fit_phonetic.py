"""Making the weights of the phonetic features: phonemes to classes, the fit, hama's file."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.phonetic_weights import PATH, load_weights
from core.formats.safetensors import read_tensors
from tests.support.waiting import LIMIT
from tools.fit_phonetic import __main__ as command
from tools.fit_phonetic import classes, fit, pack, speech
from tools.fit_phonetic.errors import FitError

ROOT = Path(__file__).resolve().parents[1]


def no_espeak() -> bool:
    try:
        ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
    except OSError:
        return True
    return False


@pytest.mark.skipif(no_espeak(), reason="needs espeak-ng's library")
def test_every_phoneme_of_the_script_is_in_the_table() -> None:
    speaker = speech.Speaker()
    words: dict[str, Any] = {}  # of a passage with each phoneme
    for passage in speech.read_script()[:100]:
        samples, phonemes = speaker.say(passage)
        assert np.isfinite(samples).all() and phonemes
        words.update({phoneme.name: passage.words for phoneme in phonemes})
    unknown = {name: text for name, text in words.items() if name not in classes.SHAPES}
    assert not unknown
    assert len({shape for name in words for shape in classes.SHAPES[name]}) == 22


SPEAK = """
import numpy as np
from tools.fit_phonetic import speech
for samples, phonemes in speech.speak(speech.read_script()[:3]):
    print(len(samples), float(np.abs(samples).sum()), phonemes[-1])
"""


@pytest.mark.skipif(no_espeak(), reason="needs espeak-ng's library")
def test_the_same_passages_sound_alike_each_time() -> None:
    """In each process that makes them."""
    first, second = (
        subprocess.run(
            [sys.executable, "-W", "error", "-c", SPEAK],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=True,
        ).stdout
        for _ in range(2)
    )
    assert first == second and len(first.splitlines()) == 3
    lines = [line for line in speech.SCRIPT.read_text("utf-8").splitlines() if line[0] != "#"]
    assert len(speech.read_script()) == len(lines)


def test_the_classes_are_those_of_the_shipped_file() -> None:
    assert load_weights().classes == classes.CLASSES


def test_a_phoneme_of_two_shapes_spends_half_its_time_in_each() -> None:
    ends = ((0.04, "aI"), (0.12, "_:"), (0.16, "odd"))
    rows = classes.labels([classes.Phoneme(*end) for end in ends], 10)
    names = [classes.CLASSES[k] for k in rows.argmax(1)]
    assert " ".join(names) == "sil sil AA AA IY IY sil sil AH AH" and rows.sum() == 10


def test_ridge_finds_a_known_readout() -> None:
    random = np.random.default_rng(0)
    weight, bias = random.normal(size=(3, 20)), random.normal(size=3)
    parts = [(5 * random.normal(size=(n, 4)) + 2).astype(np.float32) for n in (300, 500)]
    targets = [(fit.around(x, 2) @ weight.T + bias).astype(np.float32) for x in parts]
    found, constant = fit.ridge(parts, targets, steps=2, penalty=1e-3)
    assert found.dtype == constant.dtype == np.float32
    np.testing.assert_allclose(found, weight, atol=1e-3)
    np.testing.assert_allclose(constant, bias, atol=2e-2)
    shrunk, _ = fit.ridge(parts, targets, steps=2, penalty=3000)
    assert np.linalg.norm(shrunk) < 0.5 * np.linalg.norm(weight)


def test_what_is_not_hamas_network_is_refused_in_one_line(tmp_path: Path) -> None:
    missing, other, wheel = tmp_path / "none", tmp_path / "other", tmp_path / "other.whl"
    other.write_bytes(pack.MAGIC + bytes(99))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("hama/__init__.py", "")
    reasons = {
        missing: "none cannot be read",
        other: "has the hash",
        wheel: "other.whl has no hama/assets/asr_waveform.hama",
        tmp_path: "cannot be read",
    }
    for path, reason in reasons.items():
        with pytest.raises(FitError, match=reason) as caught:
            pack.read_bytes(path)
        assert_one_line(caught.value)
    for data in (pack.MAGIC + b"\1\0\0\0\4", b"something else"):
        with pytest.raises(FitError) as caught:
            pack.parse(data)
        assert_one_line(caught.value)


def assert_one_line(error: FitError) -> None:
    assert "hama==1.7.0" in str(error) and "\n" not in str(error)


def test_a_missing_espeak_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(speech.ctypes, "CDLL", absent)
    with pytest.raises(FitError, match="apt-get install espeak-ng"):
        speech.Speaker()


def test_tensors_are_read_where_the_directory_says() -> None:
    def entry(name: bytes, kind: int, shape: tuple[int, ...], offset: int, size: int) -> bytes:
        head = struct.pack("<H", len(name)) + name + struct.pack("<BB", kind, len(shape))
        return head + struct.pack(f"<{len(shape)}I", *shape) + struct.pack("<QQ", offset, size)

    one, two = np.arange(6, dtype="<f4"), np.arange(4, dtype="<f2")
    data = pack.MAGIC + struct.pack("<I", 2) + entry(b"one", 0, (2, 3), 0, 24)
    data += entry(b"two", 1, (4,), 24, 8) + bytes(5) + one.tobytes() + two.tobytes()
    found = pack.parse(data)
    assert found["one"].dtype == np.float32 and found["two"].dtype == np.float16
    np.testing.assert_array_equal(found["one"], one.reshape(2, 3))
    np.testing.assert_array_equal(found["two"], two)


def test_only_the_shipped_tensors_pass_for_the_shipped_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tensors = dict(read_tensors(PATH)[0])
    assert command.compare(tensors)
    near = tensors["readout.weight"] * np.float32(1.0001)
    assert command.compare({**tensors, "readout.weight": near})
    assert not command.compare({**tensors, "readout.weight": -near})
    other = tensors["stem.bias"].copy()
    other[0] += 1
    assert not command.compare({**tensors, "stem.bias": other})
    assert not command.compare({n: t for n, t in tensors.items() if n != "stem.bias"})
    assert "differ: stem.bias" in capsys.readouterr().out


def test_the_command_ends_with_one_line_where_the_weights_are_missing(tmp_path: Path) -> None:
    places = [str(tmp_path / "none"), str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "tools.fit_phonetic", *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
