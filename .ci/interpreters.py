"""Finding, or getting, a Python of one version: Blender's module runs on that version alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import system
from process import SetupError, run_logged, say


def reported_version(executable: str | Path) -> str | None:
    """'3.11' as the program itself says, None if it does not run: a name on PATH may be a shim."""
    try:
        answer = subprocess.run(
            [str(executable), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _candidates(version: str, uv: Path) -> Iterator[str | Path]:
    yield sys.executable
    name = f"python{version}"
    for folder in os.get_exec_path():
        if (Path(folder) / name).is_file():
            yield Path(folder) / name
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/{name}"), reverse=True)
    for tool in (shutil.which("uv"), uv if uv.is_file() else None):
        if tool is not None:
            found = subprocess.run(
                [str(tool), "python", "find", version],
                capture_output=True,
                text=True,
                check=False,
            ).stdout.strip()
            if found:
                yield found


def find(version: str, uv: Path) -> str | None:
    """An interpreter that runs and says it is `version`. uv: where our own uv would be."""
    for candidate in _candidates(version, uv):
        if reported_version(candidate) == version:
            return str(candidate)
    return None


def obtain(version: str, environment: Path, log: Path) -> str:
    """As `find`, else install one: by apt-get as root, by uv from PyPI (put into `environment`)."""
    uv = environment / "bin" / "uv"
    found = find(version, uv)
    if found is None and system.apt_usable():
        system.apt_update(log)
        names = [f"python{version}", f"python{version}-venv"]
        if all(map(system.apt_offers, names)):
            system.apt_install(names, log, f"Python {version} is not installed")
            found = find(version, uv)
    if found is None:
        say(f"  Python {version} is not installed: asking uv for it")
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--no-input", "uv"]
        if uv.is_file() or run_logged(pip, log) == 0:
            run_logged([uv, "python", "install", version], log)
            found = find(version, uv)
    if found is None:
        raise SetupError(
            f"no Python {version} found (log {log}); install one and run again:"
            f" uv python install {version}, or pyenv install {version},"
            f" or {system.apt_command([f'python{version}', f'python{version}-venv'])}"
        )
    return found


def ensure_venv_module(executable: str, log: Path) -> None:
    """Debian ships Python without ensurepip, which `python -m venv` needs."""
    check = [executable, "-c", "import ensurepip, venv"]
    if subprocess.run(check, capture_output=True, check=False).returncode != 0:
        package = f"python{reported_version(executable)}-venv"
        system.apt_install([package], log, f"{executable} cannot make environments")
