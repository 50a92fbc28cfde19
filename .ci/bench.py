"""`make bench`: milliseconds per frame of the bundled avatar, and of preparing a small clip if the
environment for that is there. Options go to `core bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import environments
from process import SetupError

AVATAR = environments.ROOT / "egstalker_blender" / "assets" / "demo.egs"
CLIP = environments.ROOT / "tests" / "golden" / "talker_small.mp4"


def main() -> int:
    try:
        python = environments.prepare(environments.MAIN, environments.WORKER)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    code = _bench(python, *sys.argv[1:])
    if code == 0 and not sys.argv[1:] and environments.installed(environments.PREPARE):
        # The packages that read videos do not fit into the worker's environment.
        return _bench(environments.PREPARE.executable, "--parts", "video", "--video", str(CLIP))
    return code


def _bench(python: Path, *options: str) -> int:
    command = [str(python), "-m", "core", "bench", str(AVATAR), *options]
    return subprocess.run(command, cwd=environments.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
