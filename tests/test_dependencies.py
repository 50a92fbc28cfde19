"""What core imports is declared, and what is declared is locked to exact versions."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SET_UP = "egstalker_blender/setup_worker"
WORKER = ("worker", "torch", "gsplat")
# Lock file -> the groups of pyproject.toml that are installed with it.
LOCKS = {
    ".ci/locks/venv.txt": (*WORKER, "test", "lint", "tools"),
    ".ci/locks/venv-prepare.txt": ("prepare", "prepare-test"),
    ".ci/locks/venv-blender-4.5.txt": ("blender-4-5",),
    ".ci/locks/venv-blender-5.2.txt": ("blender-5-2",),
    f"{SET_UP}/constraints.txt": WORKER,
    f"{SET_UP}/constraints_videos.txt": (*WORKER, "prepare"),
}
IMPORTED_AS = {"PIL": "pillow"}  # module -> package, where they differ


def declared(*groups: str) -> list[Requirement]:
    lists = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]

    def spelled(group: str) -> Iterator[str]:
        for entry in lists[group]:
            if isinstance(entry, str):
                yield entry
            else:
                yield from spelled(entry["include-group"])

    return [Requirement(entry) for group in groups for entry in spelled(group)]


def names(*groups: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in declared(*groups)}


# What is imported --------------------------------------------------------------------------------


@functools.cache
def imports(path: str, text: str) -> tuple[str, ...]:
    """What the file of core imports anywhere in it: others' packages by their names on PyPI, core's
    own modules as paths from the root without a suffix."""
    return tuple(_imports(path, ast.parse(text)))


def _imports(path: str, tree: ast.Module) -> Iterator[str]:
    folder = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found = [node.module or ""]
        elif isinstance(node, ast.ImportFrom):
            package = folder[: len(folder) - node.level + 1]
            base = "/".join([*package, *(node.module.split(".") if node.module else [])])
            yield from (base, *(f"{base}/{alias.name}" for alias in node.names))
            continue
        else:
            continue
        for name in found:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names:
                yield IMPORTED_AS.get(top, top)


def reached(files: Mapping[str, str], start: str) -> set[str]:
    """The files under `start` and all that they import of core, files and packages."""
    waiting, seen = [path for path in files if path.startswith(start)], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in imports(path, files[path]):
            waiting += [near for near in (f"{name}.py", f"{name}/__init__.py") if near in files]
    return seen


def undeclared(files: Mapping[str, str]) -> dict[str, set[str]]:
    """Environment -> packages that the files of core which it runs import, and its list lacks.
    Datasets are prepared by core/prepare/ and what that imports, the rest is the worker's: with
    torch and gsplat the trainer's."""

    def of(paths: set[str]) -> set[str]:
        found = {name for path in paths for name in imports(path, files[path])}
        return {canonicalize_name(name) for name in found if not name.startswith("core")}

    rest = {path for path in files if not path.startswith("core/prepare/")}
    plain = {path for path in rest if not {"torch", "gsplat"} & set(imports(path, files[path]))}
    return {
        "worker": of(plain) - names("worker"),
        "trainer": of(rest) - names(*WORKER),
        "prepare": of(reached(files, "core/prepare/")) - names("prepare"),
    }


def core() -> dict[str, str]:
    paths = sorted((ROOT / "core").rglob("*.py"))
    assert len(paths) > 100
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}


def test_each_environment_declares_what_its_part_of_core_imports() -> None:
    assert undeclared(core()) == {"worker": set(), "trainer": set(), "prepare": set()}


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("core/audio/a.py", "def f():\n    import av", {"worker", "trainer"}),
        ("core/audio/a.py", "from PIL.Image import open", set()),
        ("core/training/a.py", "import torch\nfrom requests import get", {"trainer"}),
        ("core/prepare/a.py", "import torch", {"prepare"}),
        ("core/prepare/a.py", "from .. import files", set()),
        ("core/prepare/a.py", "from ..audio.decoders import decode", {"prepare"}),
    ],
)
def test_an_import_that_is_not_declared_is_seen(path: str, line: str, expected: set[str]) -> None:
    found = undeclared({**core(), path: line})
    assert {environment for environment, packages in found.items() if packages} == expected


# What is locked ----------------------------------------------------------------------------------

PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+))?")


def pins(text: str) -> dict[str, set[str]]:
    """Package -> its versions, one for each range of Pythons."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = PIN.fullmatch(line)
            assert match, f"no exact version: {line}"
            found.setdefault(match["name"], set()).add(match["version"])
    return found


def stale(locked: Mapping[str, set[str]], requirements: list[Requirement]) -> list[str]:
    """Requirements without a version, or with one that they exclude."""
    return [
        str(requirement)
        for requirement in requirements
        if not (versions := locked.get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(version) for version in versions)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_locked(lock: str) -> None:
    """`make lock` renews the file."""
    assert stale(pins((ROOT / lock).read_text()), declared(*LOCKS[lock])) == []


def test_every_group_and_every_lock_is_checked() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert {name for listed in LOCKS.values() for name in listed} == set(groups) - {"core"}
    files = {*(ROOT / ".ci/locks").iterdir(), *(ROOT / SET_UP).glob("*.txt")}
    assert files == {ROOT / lock for lock in LOCKS}


def test_stale_locks_are_seen() -> None:
    asked = [Requirement(text) for text in ("a>=1", "b<2", "c_d", "e>=3,<4")]
    locked = pins("# made\na==1.0\nb==1.5 ; python_version < '3.12'\nb==2.0\nc-d==1\n")
    assert stale(locked, asked) == ["b<2", "e<4,>=3"]
    for line in (
        "a>=1",
        "--index-url https://example.org",
        "a==1 --hash=sha256:0",
        "a @ file:///a",
    ):
        with pytest.raises(AssertionError, match="no exact version"):
            pins(line)


def test_make_test_runs_the_versions_that_set_up_installs() -> None:
    ours, shipped = (
        pins((ROOT / lock).read_text())
        for lock in (".ci/locks/venv.txt", f"{SET_UP}/constraints.txt")
    )
    assert {name: ours.get(name) for name in shipped} == shipped


def test_the_build_of_torch_is_left_to_who_installs_it() -> None:
    for lock in LOCKS:
        locked = pins((ROOT / lock).read_text())
        assert not [name for name in locked if name.startswith(("nvidia-", "cuda-", "triton"))]
        assert locked.get("torch", {"2.13.0"}) == {"2.13.0"}
