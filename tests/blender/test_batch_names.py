"""The batch on any code page, with any name of avatar, sound and folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.blender import ROOT, clean_environment, python_here, voice, write_wav
from tests.support.waiting import LIMIT

LONG = "ä" * 110 + "x" * 20  # 240 bytes
BATCH = ROOT / "egstalker_blender" / "batch.py"
NAMES = {
    "ascii:strict": "Ünï 頭 🎤 'b' \"c\" 100% #1 {x} [1] `ls`",
    "cp1252:strict": "two\nlines \x1b[31mred back\\slash",
    "cp437:strict": "-dash 100% {} #",
    "latin-1:strict": LONG,
}


pytestmark = pytest.mark.skipif(os.name != "posix", reason="they are no names on Windows")


def baked(
    folder: Path, avatar_path: Path, encoding: str, name: str
) -> subprocess.CompletedProcess[bytes]:
    """The batch with avatar, sound and folder of that name."""
    shutil.copyfile(avatar_path, folder / f"{name}.egs")
    write_wav(folder / f"{name}.wav", voice(0.05))
    environment = clean_environment(folder / "profile")
    environment |= {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "LANG": "C"}
    start = f"./{name}"
    options = ("--avatar", f"{start}.egs", "--audio", f"{start}.wav", "--engine", "builtin")
    return subprocess.run(
        python_here(BATCH, "--", *options, "--out", f"{start} out", "--frames", "1-2"),
        cwd=folder, env=environment, capture_output=True, timeout=LIMIT, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", NAMES)
def test_a_bake_with_any_name(tmp_path: Path, avatar_path: Path, encoding: str) -> None:
    name = NAMES[encoding]
    done = baked(tmp_path, avatar_path, encoding, name)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr and b"\x1b" not in done.stdout + done.stderr
    assert len(list((tmp_path / f"{name} out").iterdir())) == 2
    parts = [path for path in tmp_path.rglob(".*") if ".part" in path.name]
    assert parts == []


def test_a_name_that_is_no_text_is_refused_in_one_line(tmp_path: Path, avatar_path: Path) -> None:
    """Blender's own strings are UTF-8."""
    done = baked(tmp_path, avatar_path, "ascii:strict", "no text \udcff")
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert rb"\udcff" in done.stderr and b"rename it" in done.stderr
