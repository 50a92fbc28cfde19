"""The files at the top of the project agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {
    "__init__.py",
    "blender_manifest.toml",
    "pyproject.toml",
    "Makefile",
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    ".github",
    ".gitignore",
    ".ci",
    "core",
    "egstalker_blender",
    "tests",
    "docs",
    "tools",
}


def test_one_version_and_one_licence_everywhere() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest["id"] == project["name"] == "egstalker"
    assert manifest["version"] == project["version"]
    assert manifest["license"] == [f"SPDX:{project['license']}"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_extension_carries_no_wheels_and_says_why_it_asks_permissions() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert "wheels" not in manifest
    assert manifest["blender_version_min"] == "4.5.0"
    assert all(len(reason) > 10 for reason in manifest.get("permissions", {}).values())


def test_the_top_level_holds_nothing_else() -> None:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs a git checkout: {error}")
    tops = {name.split("/")[0] for name in listed.split("\0") if name}
    assert tops, "git lists no file"
    assert tops - TOP_LEVEL == set()


def test_the_workflow_reads_the_index_of_torch_from_the_set_up() -> None:
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    command = re.search(r"index=\$\((sed .+)\)$", workflow, re.MULTILINE)
    assert command and "://" not in workflow
    found = subprocess.run(
        ["bash", "-c", command[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"https://\S+/cpu\n", found.stdout)
