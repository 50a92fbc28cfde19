"""`make lock`: renew the exact versions of every environment from the lists of pyproject.toml.

Each file is valid on every system and for the Pythons that its packages support. It names no index,
because the user chooses it, and with it the build of torch. The lists that Set Up in Blender
installs also have the hashes of all files of each version; torch, of which each index has builds of
its own, is not in them.
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


def compile_lock(uv: str, lock: Path, groups: Sequence[str], python: str, *options: str) -> None:
    say(lock.relative_to(ROOT).as_posix())
    command = [uv, "pip", "compile", "--quiet", "--universal", "--upgrade", "--no-annotate"]
    command += ["--custom-compile-command", "make lock", "--python-version", python, *options]
    done = subprocess.run(
        [*command, *(f"--group={group}" for group in groups)],
        cwd=ROOT,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupError(f"uv finds no versions for {', '.join(groups)}; loosen pyproject.toml")
    lines = [line for line in done.stdout.splitlines() if not line.startswith(CUDA)]
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("\n".join(lines) + "\n", encoding="utf-8")


def hashed(uv: str, groups: Sequence[str], constraints: Path, python: str) -> dict[str, str]:
    """All packages of the groups in the versions of `constraints`: "name==version ; marker" -> the
    whole entry, with its hashes."""
    command = [uv, "pip", "compile", "--quiet", "--universal", "--no-annotate", "--no-header"]
    command += ["--generate-hashes", "--python-version", python, f"--constraint={constraints}"]
    done = subprocess.run(
        [*command, *(f"--group={group}" for group in groups)],
        cwd=ROOT,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupError(f"uv finds no hashes for {', '.join(groups)}; try again")
    entries = done.stdout.replace(" \\\n    ", " ").splitlines()
    return {
        entry.partition(" --hash=")[0]: entry
        for entry in entries
        if not entry.startswith((*CUDA, "torch=="))
    }


def write_hashes(uv: str, constraints: Path, all_groups: Sequence[str], python: str) -> None:
    """One file for each of PARTS, the first with what is in none of them."""
    HASHES.mkdir(exist_ok=True)
    suffix = constraints.stem.removeprefix("constraints")
    groups, before = [name for name in all_groups if name not in PARTS], set[str]()
    for part in PARTS:
        groups.append(part)
        path = HASHES / f"{part}{suffix}.txt"
        say(path.relative_to(ROOT).as_posix())
        entries = hashed(uv, groups, constraints, python)
        new = [entries[name] for name in sorted(entries.keys() - before)]
        path.write_text("\n".join(["# Made by `make lock`.", *new, ""]), encoding="utf-8")
        before |= entries.keys()


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
