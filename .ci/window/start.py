"""What `blender --python` runs: makes this folder a package, whose driver does the rest."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "window"


def main() -> None:
    spec = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name("__init__.py"))
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    spec.loader.exec_module(package)
    driver = importlib.import_module(f"{NAME}.driver")
    driver.main(sys.argv[sys.argv.index("--") + 1 :])


if __name__ == "__main__":
    main()
