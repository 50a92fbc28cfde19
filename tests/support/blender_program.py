"""Stands in for the program `blender` where only the module bpy is installed.

    python blender_program.py [-b] [-y] [FILE.blend] [--python-exit-code N] --python FILE -- ...

Like Blender without a window it ends with code 1, and runs no script, if the .blend cannot be
opened. A test may name a file in KILL_AT: the process is killed, as by the system, at the moment
when this file gets its name.
"""

from __future__ import annotations

import os
import runpy
import shlex
import signal
import sys
import traceback
from pathlib import Path

KILL_AT = "EGSTALKER_TEST_KILL_AT"


def program(path: Path, **environment: str) -> Path:
    """An executable file that runs this with the present Python."""
    values = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    command = shlex.join([sys.executable, str(Path(__file__).resolve())])
    path.write_text("\n".join(["#!/bin/sh", *values, f'exec {command} "$@"', ""]))
    path.chmod(0o755)
    return path


def _kill_at(name: str) -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]) == name:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(argv: list[str]) -> None:
    import bpy

    code, words = 0, argv[1:]
    while words:
        word = words.pop(0)
        if word == "--":
            return
        if word == "--python-exit-code":
            code = int(words.pop(0))
        elif word == "--python":
            sys.argv = ["blender", *argv[1:]]
            try:
                runpy.run_path(words.pop(0), run_name="__main__")
            except Exception:
                traceback.print_exc()
                os._exit(code)
        elif not word.startswith("-"):
            try:
                bpy.ops.wm.open_mainfile(filepath=word)
            except RuntimeError as error:
                print(f"Error: {error}", file=sys.stderr)
                os._exit(1)


if __name__ == "__main__":
    if KILL_AT in os.environ:
        _kill_at(os.environ[KILL_AT])
    main(sys.argv)
