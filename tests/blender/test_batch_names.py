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
    "cp437:strict": "-dash no text \udcff",
    "latin-1:strict": LONG,
}


@pytest.mark.skipif(os.name != "posix", reason="these names are no names on Windows")
@pytest.mark.parametrize("encoding", NAMES)
def test_a_bake_with_any_name(tmp_path: Path, avatar_path: Path, encoding: str) -> None:
    name = NAMES[encoding]
    shutil.copyfile(avatar_path, tmp_path / f"{name}.egs")
    write_wav(tmp_path / f"{name}.wav", voice(0.05))
    environment = clean_environment(tmp_path / "profile")
    environment |= {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "LANG": "C"}
    start = f"./{name}"
    options = ("--avatar", f"{start}.egs", "--audio", f"{start}.wav", "--engine", "builtin")
    done = subprocess.run(
        python_here(BATCH, "--", *options, "--out", f"{start} out", "--frames", "1-2"),
        cwd=tmp_path, env=environment, capture_output=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr and b"\x1b" not in done.stdout + done.stderr
    assert len(list((tmp_path / f"{name} out").iterdir())) == 2
    parts = [path for path in tmp_path.rglob(".*") if ".part" in path.name]
    assert parts == []
