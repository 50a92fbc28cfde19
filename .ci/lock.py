"""`make lock`: renew the exact versions of every environment from the lists of pyproject.toml.

Each file is valid on every system and for the Pythons that its packages support. It names no index,
because the user chooses it, and with it the build of torch. The lists that Set Up in Blender
installs also have the hashes of all files of each version; those of torch are PyPI's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import environments
from environments import ALL, MAIN, ROOT
from process import SetupError, say

SET_UP = ROOT / "egstalker_blender" / "setup_worker"
WORKER = ("worker", "torch", "gsplat")
# These are part of the zip: Set Up in Blender installs them, without or with those for videos.
SHIPPED = {
    SET_UP / "constraints.txt": (WORKER, "3.11"),
    SET_UP / "constraints_videos.txt": ((*WORKER, "prepare"), "3.11"),
    SET_UP / "constraints_videos_3_13.txt": ((*WORKER, "prepare-3-13"), "3.13"),
}
# What Set Up installs, one list after the other; each lacks what is in those before it.
HASHES = SET_UP / "hashes"
PARTS = ("worker", "torch", "gsplat")
# torch's own requirements for CUDA; each build of torch pins different ones.
CUDA = ("cuda-", "nvidia-", "triton")
# PyPI's build of torch, which Set Up installs in a step of its own.
BUILD, OWN_STEP = "torch_build", (*CUDA, "torch==")


def compiled(uv: str, groups: Sequence[str], python: str, *options: str) -> list[str]:
    """The lines of the groups' exact versions, valid on every system."""
    command = [uv, "pip", "compile", "--quiet", "--universal", "--no-annotate", *options]
    done = subprocess.run(
        [*command, "--python-version", python, *(f"--group={group}" for group in groups)],
        cwd=ROOT,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupError(f"uv finds no versions for {', '.join(groups)}; loosen pyproject.toml")
    return done.stdout.replace(" \\\n    ", " ").splitlines()


def compile_lock(uv: str, lock: Path, groups: Sequence[str], python: str, *options: str) -> None:
    say(lock.relative_to(ROOT).as_posix())
    own = ("--upgrade", "--custom-compile-command", "make lock")
    lines = compiled(uv, groups, python, *own, *options)
    lock.parent.mkdir(exist_ok=True)
    text = "\n".join(line for line in lines if not line.startswith(CUDA)) + "\n"
    lock.write_text(text, encoding="utf-8")


def hashed(uv: str, groups: Sequence[str], constraints: Path, python: str) -> dict[str, str]:
    """All packages of the groups in the versions of `constraints`: "name==version ; marker" -> the
    whole entry, with its hashes."""
    own = ("--no-header", "--generate-hashes", f"--constraint={constraints}")
    entries = compiled(uv, groups, python, *own)
    return {entry.partition(" --hash=")[0]: entry for entry in entries}


def write_hashes(uv: str, constraints: Path, all_groups: Sequence[str], python: str) -> None:
    """One file for each of PARTS, the first with what is in none of them; and BUILD."""
    HASHES.mkdir(exist_ok=True)
    suffix = constraints.stem.removeprefix("constraints")

    def write(name: str, lines: list[str]) -> None:
        path = HASHES / f"{name}{suffix}.txt"
        say(path.relative_to(ROOT).as_posix())
        path.write_text("\n".join(["# Made by `make lock`.", *lines, ""]), encoding="utf-8")

    groups, before = [name for name in all_groups if name not in PARTS], set[str]()
    entries: dict[str, str] = {}
    for part in PARTS:
        groups.append(part)
        entries = hashed(uv, groups, constraints, python)
        new = sorted(entries.keys() - before)
        write(part, [entries[name] for name in new if not name.startswith(OWN_STEP)])
        before |= entries.keys()
    write(BUILD, [entries[name] for name in sorted(entries) if name.startswith(OWN_STEP)])


def main() -> int:
    try:
        uv = str(environments.prepare(MAIN, ("tools",)).with_name("uv"))
        for path, (groups, python) in SHIPPED.items():
            compile_lock(uv, path, groups, python)
            write_hashes(uv, path, groups, python)
        for environment in ALL:
            # `make test` tests the versions that Set Up installs.
            same = [f"--constraint={SET_UP / 'constraints.txt'}"] if environment == MAIN else []
            python = environment.python or "3.11"
            compile_lock(uv, environment.lock, environment.groups, python, *same)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
