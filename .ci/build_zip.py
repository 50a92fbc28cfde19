"""`make zip`: dist/egstalker-VERSION.zip by Blender's own builder, checked before and after."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import environments
from environments import ROOT
from process import SetupError, say

DIST = ROOT / "dist"
TOP_FILES = {"__init__.py", "blender_manifest.toml", "README.md", "LICENSE"}
TOP_FOLDERS = {"core", "egstalker_blender"}


class BuildError(Exception):
    """One line about a fault of the extension."""


def version() -> str:
    """The one version, which the manifest and pyproject.toml both state."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if manifest["version"] != project["version"]:
        raise BuildError(
            f"blender_manifest.toml says version {manifest['version']},"
            f" pyproject.toml {project['version']}; make them equal"
        )
    return str(manifest["version"])


def _blender_ext(python: Path, *arguments: str) -> None:
    """Run Blender's extension tool, a plain program inside the module; warnings fail as well."""
    tools = sorted(
        python.parent.parent.glob(
            "lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
        )
    )
    if not tools:
        raise BuildError(f"{python} has no blender_ext.py; remove its environment and run again")
    done = subprocess.run(
        [str(python), str(tools[-1]), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        say(f"  {line}")
    if done.returncode != 0 or "warn" in done.stdout.lower():
        raise BuildError(f"blender_ext {arguments[0]} reports faults in {arguments[-1]}")


def _check_members(archive: Path) -> int:
    """Size of the archive's content in bytes; BuildError for a file that should not be in it."""
    with zipfile.ZipFile(archive) as content:
        names = [name for name in content.namelist() if not name.endswith("/")]
        total = sum(entry.file_size for entry in content.infolist())
    strangers = [
        name
        for name in names
        if (name not in TOP_FILES and name.split("/")[0] not in TOP_FOLDERS)
        or "__pycache__" in name
        or name.endswith(".pyc")
    ]
    missing = sorted((TOP_FILES | {f"{folder}/__init__.py" for folder in TOP_FOLDERS}) - set(names))
    if strangers or missing:
        raise BuildError(
            f"{archive.name} contains {strangers[:5]}, which do not belong, and lacks {missing}"
        )
    return total


def build(python: Path) -> Path:
    """Validate the sources, build and validate the archive. python: of a Blender environment."""
    archive = DIST / f"egstalker-{version()}.zip"
    DIST.mkdir(exist_ok=True)
    _blender_ext(python, "validate", str(ROOT))
    temporary = DIST / f"building-{archive.name}"
    try:
        _blender_ext(
            python, "build", "--source-dir", str(ROOT), "--output-filepath", str(temporary)
        )
        _blender_ext(python, "validate", str(temporary))
        size = _check_members(temporary)
        temporary.replace(archive)
    finally:
        temporary.unlink(missing_ok=True)
    packed = archive.stat().st_size
    say(f"  {archive.relative_to(ROOT)}: {packed / 1e6:.1f} MB ({size / 1e6:.1f} MB unpacked)")
    return archive


def main() -> int:
    try:
        environments.prepare(environments.MAIN, environments.WORKER)
        build(environments.prepare_preferred_blender())
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
