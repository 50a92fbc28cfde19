"""`make lock`: renew the exact versions of every environment from the lists of pyproject.toml.

Each file is valid on every system and for the Pythons that its packages support. It names no index
and no hashes, because the user chooses the index, and with it the build of torch.
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


def main() -> int:
    try:
        uv = str(environments.prepare(MAIN, ("tools",)).with_name("uv"))
        for path, (groups, python) in SHIPPED.items():
            compile_lock(uv, path, groups, python)
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
