"""The packages that core imports are declared, and declared ones are locked to exact versions."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.sources import (
    ROOT,
    Trees,
    every_statement,
    imported,
    own_imports,
    parsed,
    sources,
    top,
)

SET_UP = "egstalker_blender/setup_worker"
WORKER = ("worker", "torch", "gsplat")
# Lock file -> the groups of pyproject.toml that are installed with it.
LOCKS = {
    ".ci/locks/venv.txt": (*WORKER, "test", "lint", "tools"),
    ".ci/locks/venv-prepare.txt": ("prepare", "prepare-test"),
    ".ci/locks/venv-blender-4.5.txt": ("blender-4-5",),
    ".ci/locks/venv-blender-5.2.txt": ("blender-5-2",),
    ".ci/locks/venv-blender-5.3.txt": ("blender-5-3",),
    f"{SET_UP}/constraints.txt": WORKER,
    f"{SET_UP}/constraints_videos.txt": (*WORKER, "prepare"),
    f"{SET_UP}/constraints_videos_3_13.txt": (*WORKER, "prepare-3-13"),
}
IMPORTED_AS = {"PIL": "pillow"}  # module -> package, where they differ
BUNDLED = {"pxr"}  # Blender has it inside; elsewhere its absence is reported with what to install


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


def third_parties(path: str, tree: ast.Module) -> set[str]:
    """Packages, by their names on PyPI, that the file of core imports anywhere in it."""
    modules = {top(name) for name in imported(path, every_statement(tree))}
    others = modules - {*sys.stdlib_module_names, "core", "__package__"} - BUNDLED
    return {canonicalize_name(IMPORTED_AS.get(name, name)) for name in others}


def reached(trees: Trees, start: str) -> set[str]:
    """The files under `start` and all files of core that they import, also inside functions."""
    graph = own_imports(trees)
    waiting, seen = [path for path in trees if path.startswith(start)], set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += graph[path]
    return seen


def undeclared(trees: Trees) -> dict[str, set[str]]:
    """Environment -> packages that the files of core which it runs import, and its list lacks.
    Datasets are prepared by core/prepare/ and what that imports, the rest is the worker's: with
    torch and gsplat the trainer's."""
    found = {path: third_parties(path, tree) for path, tree in trees.items()}

    def of(paths: Iterable[str]) -> set[str]:
        return set().union(*(found[path] for path in paths))

    rest = [path for path in trees if not path.startswith("core/prepare/")]
    plain = [path for path in rest if not {"torch", "gsplat"} & found[path]]
    return {
        "worker": of(plain) - names("worker"),
        "trainer": of(rest) - names(*WORKER),
        "prepare": of(reached(trees, "core/prepare/")) - names("prepare"),
    }


def test_each_environment_declares_what_its_part_of_core_imports() -> None:
    assert undeclared(sources("core")) == {"worker": set(), "trainer": set(), "prepare": set()}


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("core/audio/a.py", "def f():\n    import av", {"worker", "trainer"}),
        ("core/audio/a.py", "from PIL.Image import open", set()),
        ("core/training/a.py", "import torch\nfrom requests import get", {"trainer"}),
        ("core/prepare/a.py", "import torch", {"prepare"}),
        ("core/prepare/a.py", "from ..system import files", set()),
        ("core/prepare/a.py", "from ..audio.decoders import compressed_reader", {"prepare"}),
    ],
)
def test_an_import_that_is_not_declared_is_seen(path: str, line: str, expected: set[str]) -> None:
    found = undeclared(sources("core") | parsed({path: line}))
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
    entries = [entry for listed in groups.values() for entry in listed]
    included = {entry["include-group"] for entry in entries if isinstance(entry, dict)}
    assert {name for listed in LOCKS.values() for name in listed} | included == set(groups)
    files = {*(ROOT / ".ci/locks").iterdir(), *(ROOT / SET_UP).glob("*.txt")}
    assert files == {ROOT / lock for lock in LOCKS}


HASHED = re.compile(rf"(?P<pin>{PIN.pattern}) (?P<hashes>--hash=sha256:[0-9a-f]{{64}}.*)")


def hashed_pins(lists: Iterable[str]) -> list[str]:
    """The pins of the files, in order. Each has hashes."""
    found = []
    for name in lists:
        for line in (ROOT / SET_UP / "hashes" / name).read_text().splitlines():
            if not line.startswith("#"):
                match = HASHED.fullmatch(line)
                assert match, f"no exact version with hashes: {line[:80]}"
                assert all(
                    re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word)
                    for word in match["hashes"].split()
                )
                found.append(match["pin"])
    return found


LISTS = {"": (), "_videos": ("prepare",), "_videos_3_13": ("prepare-3-13",)}


@pytest.mark.parametrize("suffix", LISTS)
def test_set_up_installs_by_hash_what_is_locked(suffix: str) -> None:
    """All of it, once; torch with the CUDA libraries that its build names."""
    lists = [f"{part}{suffix}.txt" for part in WORKER]
    found = hashed_pins(lists)
    assert len(found) == len(set(found))
    locked = pins((ROOT / SET_UP / f"constraints{suffix}.txt").read_text())
    build = pins("\n".join(hashed_pins([f"torch_build{suffix}.txt"])))
    assert pins("\n".join(found)) == {n: v for n, v in locked.items() if n != "torch"}
    assert build.pop("torch") == locked["torch"]
    assert build and all(name.startswith(("cuda-", "nvidia-", "triton")) for name in build)
    first = pins("\n".join(hashed_pins(lists[:1])))
    assert stale(first, declared("worker", *LISTS[suffix])) == []
    assert {path.name for path in (ROOT / SET_UP / "hashes").iterdir()} == {
        f"{part}{end}.txt" for part in (*WORKER, "torch_build") for end in LISTS
    }


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
