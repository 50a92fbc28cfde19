"""`make lint`: ruff's rules and layout, and the types of both halves and of these scripts."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import environments
from environments import MAIN, ROOT
from process import SetupError, say


@dataclass(frozen=True)
class Check:
    name: str
    command: tuple[str, ...]
    folder: Path = ROOT


def checks() -> list[Check]:
    """The checks of `make lint`, in order; `make test` runs the same."""
    python = str(MAIN.executable)
    ruff = str(MAIN.folder / "bin" / "ruff")
    config = ("--config-file", str(ROOT / "pyproject.toml"))
    # Without a cache, because an old one misses modules that were added since.
    mypy = (python, "-m", "mypy", *config, "--cache-dir", os.devnull)
    packages = ("-p", "egstalker.core", "-p", "egstalker.egstalker_blender")
    # tools/ imports core by its name; the package's check covers the types of core.
    namespace = ("--explicit-package-bases", "--follow-imports", "silent")
    folder = ROOT / ".ci"
    scripts = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
    return [
        Check("ruff check", (ruff, "check", "--quiet", ".")),
        Check("ruff format", (ruff, "format", "--check", "--quiet", ".")),
        Check("mypy package", (*mypy, *packages), _package_parent()),
        Check("mypy .ci", (*mypy, *scripts), folder),
        Check("mypy tools", (*mypy, *namespace, "tools")),
    ]


def _package_parent() -> Path:
    """A folder in which the project is a package named `egstalker`, whatever its checkout is
    called: mypy follows the relative imports between the halves by that name. Checkouts may share
    an environment, so each has a folder of its own."""
    parent = MAIN.folder / "typecheck" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    parent.mkdir(parents=True, exist_ok=True)
    link = parent / "egstalker"
    if not link.is_symlink() or link.resolve() != ROOT:
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)
    return parent


def run(check: Check) -> bool:
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    status = subprocess.run(check.command, cwd=check.folder, env=environ, check=False).returncode
    return status == 0


def main() -> int:
    try:
        environments.prepare(MAIN, environments.LINT)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    failed = []
    for check in checks():
        say(f"{check.name} ...")
        if not run(check):
            failed.append(check.name)
    say(f"failed: {', '.join(failed)}" if failed else "clean")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
