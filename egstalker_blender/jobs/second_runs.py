"""Runs one of the extension's scripts on a job, in a Blender of its own.

    blender -b --factory-startup --python second_runs.py -- SCRIPT.py JOB.json
    python second_runs.py -- SCRIPT.py JOB.json        (with bpy importable)

The script has a function `run(job)`. Prints one line `error: ...` where that fails. Neither imports
anything of the extension, which this Blender may not have enabled.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


def run_of(script: Path) -> Any:
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None and spec.loader is not None  # a .py file has both
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run


def main(argv: list[str]) -> int:
    script, job = map(Path, argv[-2:])
    run = run_of(script)
    try:
        run(json.loads(job.read_text(encoding="utf-8")))
    except (RuntimeError, OSError) as error:  # of Blender's operators and of its reader of files
        text = " ".join(str(error).removeprefix("Error: ").split())
        print(f"error: {text}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender's own shutdown can hang on its sound device
