"""The command line under a Blender that may not have the extension installed.

    blender -b [scene.blend] --python .../batch.py -- --avatar A --audio W --out DIR
    python .../batch.py --avatar A --audio W --out DIR          (with bpy importable)

Options and exit codes are those of cli.py. This script runs the extension that contains it: the
enabled one if that is the same folder, otherwise a copy loaded from here for this run.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
NAME = "egstalker"


def arguments(argv: list[str]) -> list[str]:
    """The arguments after `--`, or all of them if this file is the program itself."""
    if "--" in argv:
        return argv[argv.index("--") + 1 :]
    return argv[1:] if Path(argv[0]).resolve() == Path(__file__).resolve() else []


def load_extension() -> ModuleType:
    """The extension's root package, registered."""
    init = ROOT / "__init__.py"
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        enabled = getattr(module, "__addon_enabled__", False)
        if enabled and file and Path(file).resolve() == init:
            return module
    _put_aside()
    spec = importlib.util.spec_from_file_location(
        NAME, init, submodule_search_locations=[str(ROOT)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{init} cannot be loaded")
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    package.register()
    return package


def _put_aside() -> None:
    """Disable an installed copy for this run, because both register the same names."""
    import addon_utils

    for name, module in list(sys.modules.items()):
        if name.rpartition(".")[2] == NAME and getattr(module, "__addon_enabled__", False):
            addon_utils.disable(name, default_set=False)


def main(argv: list[str]) -> int:
    try:
        importlib.import_module("bpy")
    except ImportError as error:
        print(f"error: this Python has no Blender in it ({error}); run it with Blender or install "
              "the package bpy", file=sys.stderr)  # fmt: skip
        return 1
    package = load_extension()
    cli = importlib.import_module(f"{package.__name__}.egstalker_blender.cli")
    return int(cli.main(arguments(argv), prog="batch.py"))


if __name__ == "__main__":
    if "numpy" not in sys.modules:  # Blender as a module, with a BLAS: see core/__main__.py
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = main(sys.argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender's own shutdown can hang on its sound device
