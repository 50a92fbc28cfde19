"""`make bench`: milliseconds per frame of the bundled avatar. Options go to `core bench`."""

from __future__ import annotations

import subprocess
import sys

import environments
from process import SetupError

AVATAR = environments.ROOT / "egstalker_blender" / "assets" / "demo.egs"


def main() -> int:
    try:
        python = environments.prepare(environments.MAIN, environments.WORKER)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    command = [str(python), "-m", "core", "bench", str(AVATAR), *sys.argv[1:]]
    return subprocess.run(command, cwd=environments.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
