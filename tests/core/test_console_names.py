"""Every command with any name and on any code page: it ends as with a plain name, and what the
console cannot show is written as escapes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from core import cli
from core.avatar.file import load_avatar
from core.commands.console import shown
from core.formats.ply_writer import write_ply
from core.formats.splat_kinds import SUFFIXES
from core.official.request import file_name
from core.system.files import write_atomic
from core.system.leftovers import part_of
from core.system.names import LONGEST, printable, safe_name
from tests.core.test_console import given  # noqa: F401  (a fixture)
from tests.support.synthetic import random_gaussians
from tests.support.talking import small_avatar, sound

# 240 bytes: with a suffix and a frame number as long as a file system allows.
LONG = "ä" * 110 + "x" * 20
NAMES = {
    "ascii": "\u00dcni\u0308 頭 №1 🎤",
    "cp1252": "a 'b' \"c\" 100% #1 {} [x] & | ; $HOME `ls`",
    "cp437": "two\nlines\tand \x1b[31mred",
    "cp932": "no text \udcff\udc80",
    "utf-8": "no text \udcff",
    "latin-1": LONG,
    "cp850": "-dash",
}
RENDER = ("--frames", "1-2", "--engine", "builtin", "--backend", "numpy")


def commands(name: str) -> dict[str, Sequence[str]]:
    """A run of each command; those that take long are replaced, see `given`."""
    start = f".{os.sep}{name}"  # as a shell completes a name that begins with a dash
    egs, npy = f"{start}.egs", f"{start}.npy"
    return {
        "convert": (f"{start}.ply", f"{start}2.egs"),
        "export": (egs, f"{start}3.ply", "--ply"),
        "info": (egs,),
        "verify": (f"{start}.npz",),
        "render": (egs, "--audio", npy, "--out", f"{start} out", *RENDER),
        "export-splats": (egs, f"{start} s.ply", "--audio", npy, *RENDER[:4]),
        "prepare": (f"{start}.mp4", f"{start} clip"),
        "train": (f"{start} d", f"{start}4.egs"),
        "approximate": (egs, f"{start}5.egs", "--audio", npy, "--backend", "numpy"),
        "bench": (egs, "--audio", npy, "--frames", "1", "--backend", "numpy", "--parts", "stages"),
        "evaluate": (egs, f"{start} d", "--out", f"{start} report", "--backend", "numpy"),
        "ablate": ("--backend", "numpy", f"{start} d", f"{start} variants"),
    }


class Screen(io.TextIOWrapper):
    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


def run(
    monkeypatch: pytest.MonkeyPatch, encoding: str, words: Sequence[str]
) -> tuple[int, str, str]:
    with monkeypatch.context() as patch:
        out, err = Screen(encoding), Screen(encoding)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = cli.main(words)
    return code, out.text, err.text


@pytest.mark.parametrize("encoding", NAMES)
def test_every_command_with_any_name_on_any_code_page(
    given: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
) -> None:
    name = NAMES[encoding]
    small_avatar(given / f"{name}.egs")
    np.save(given / f"{name}.npy", sound().windows)
    write_ply(random_gaussians(9), given / f"{name}.ply")
    (given / f"{name} d").mkdir()
    (given / f"{name}.mp4").touch()
    assert commands(name).keys() == set(cli.COMMANDS)
    for command, words in commands(name).items():
        code, out, err = run(monkeypatch, encoding, [command, *words, "--json"])
        events = [json.loads(line) for line in out.splitlines()]
        missing = command == "verify"  # its file does not exist
        assert code == (2 if missing else 0), (command, err)
        if missing:
            assert name in events[-1]["message"]
        code, out, err = run(monkeypatch, encoding, [command, *words])
        assert code == (2 if missing else 0), (command, err)
        assert bool(out) != missing
        assert "\x1b" not in out + err and "Traceback" not in err
        if missing:
            assert err.count("\n") == 1
    parts = [path for path in given.rglob(".*") if ".part" in path.name]
    assert parts == []
    assert load_avatar(given / f"{name}2.egs").name == printable(name)
    assert len(list((given / f"{name} out").glob("*.png"))) == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_a_real_process_on_a_code_page(tmp_path: Path, encoding: str) -> None:
    small_avatar(tmp_path / "頭.egs")
    words = [sys.executable, "-m", "core", "info"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    root = Path(__file__).parents[2]
    for file, code in (("頭.egs", 0), ("頭2.egs", 2)):
        done = subprocess.run(
            [*words, str(tmp_path / file)], cwd=root, env=environment, capture_output=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code
        said = done.stderr if code else done.stdout
        assert rb"\u982d" in said and b"Traceback" not in done.stderr


def test_what_a_console_shows() -> None:
    stream = Screen("cp1252")
    assert shown("é 頭\n\x9b\udcff", stream) == r"é \u982d\n\x9b\udcff"
    assert shown("é\n", Screen("ascii")) == r"\xe9\n"
    assert shown("é", io.StringIO()) == "é"


@pytest.mark.parametrize("name", [*NAMES.values(), "é" * 127 + "a"])
def test_a_file_of_any_name_is_written(tmp_path: Path, name: str) -> None:
    write_atomic(tmp_path / name, [b"abc"])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    other = part_of(tmp_path / f"{name[:-1]}b")
    assert part_of(tmp_path / name) != other
    assert len(os.fsencode(other.name + ".usdc")) <= 255


@pytest.mark.parametrize("name", NAMES.values())
def test_names_of_avatars_are_names_of_files(name: str) -> None:
    made = file_name(name)
    assert len(made.encode()) <= LONGEST + 4 and made.endswith(".egs")
    assert safe_name("a\udcff") == "a_"
    assert printable("a\udcff頭") == "a\ufffd頭"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_still_of_any_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"{NAMES['cp932']}{suffix}"
    assert cli.main(["convert", str(path), str(tmp_path / "a.egs")]) == 2
