"""Import rules: floors, circles, libraries. Each rule is tried on sources that break it."""

from __future__ import annotations

import os
import subprocess
import sys
from fnmatch import fnmatch

from tests.support.sources import (
    ROOT,
    Trees,
    circle,
    every_statement,
    imported,
    module_name,
    own_imports,
    parsed,
    sources,
    statements_on_import,
    top,
)

# Low floors first. A file of core imports its own floor and lower ones. tools/architecture.py
# draws this list.
FLOORS: list[tuple[str, ...]] = [
    ("errors",),
    ("system",),
    ("records",),
    ("farm",),
    ("formats",),
    ("images", "metrics"),
    ("pages",),
    ("audio",),
    ("network",),
    ("render",),
    ("avatar",),
    ("dataset",),
    ("official",),
    ("bake",),
    ("live",),
    ("worker",),  # below the engine: its client speaks the worker's protocol
    ("engine",),
    ("splat_export",),
    ("training",),
    ("prepare",),
    ("evaluation",),
    ("benchmarks",),
    ("commands", "cli", "__main__"),
]
# Imports that may close a circle: importer, imported -> the reason. Five at most.
ALLOWED_IN_CIRCLES: dict[tuple[str, str], str] = {}

BLENDER = {
    "bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "gpu_extras", "blf", "aud", "addon_utils",
    "imbuf"}  # fmt: skip
HEAVY = {
    "torch", "gsplat", "numba", "llvmlite", "librosa", "soundfile", "sounddevice", "audioread",
    "PIL", "scipy", "mediapipe", "cv2", "av", "isal"}  # fmt: skip
# What a file may import at its top beside numpy and Python's own library, by where it lies. Any
# other library is imported inside the function that needs it, so that what Blender loads stays
# light.
LIBRARIES: list[tuple[str, set[str]]] = [
    ("core/*/numba/*.py", {"numba", "llvmlite"}),
    ("core/*/torch/*.py", {"torch"}),
    ("core/*/cuda/*.py", {"torch", "gsplat"}),
    ("core/training/*.py", {"torch"}),
    ("core/*/*_torch.py", {"torch"}),
    ("core/system/numba_*.py", {"numba", "llvmlite"}),
    ("egstalker_blender/*.py", {*BLENDER, "bl_operators"}),
    ("__init__.py", set()),
]


def floor_of(path: str) -> int | None:
    """core/audio/wav.py -> the floor of audio; core/__init__.py and other halves -> None."""
    if not path.startswith("core/") or path == "core/__init__.py":
        return None
    name = path.split("/")[1].removesuffix(".py")
    found = [index for index, floor in enumerate(FLOORS) if name in floor]
    assert found, f"{path} stands on no floor; put {name!r} into FLOORS first"
    return found[0]


def climbs(trees: Trees) -> list[str]:
    """Imports of a higher floor, also inside functions."""
    found = []
    for path, targets in own_imports(trees).items():
        floor = floor_of(path)
        for target in sorted(targets):
            above = floor_of(target)
            if floor is not None and above is not None and above > floor:
                found.append(f"{path} imports {target}")
    return found


def foreign_halves(trees: Trees) -> list[str]:
    """core knows neither Blender nor the add-on, not even inside a function."""
    return [
        f"{path} imports {name}"
        for path, tree in trees.items()
        if path.startswith("core/")
        for name in imported(path, every_statement(tree))
        if top(name) in BLENDER | {"egstalker_blender"}
    ]


def heavy_in_blender(trees: Trees) -> list[str]:
    """The add-on names no library that Blender lacks, not even inside a function."""
    return [
        f"{path} imports {name}"
        for path, tree in trees.items()
        if path.startswith("egstalker_blender/")
        for name in imported(path, every_statement(tree))
        if top(name) in HEAVY
    ]


def wrong_libraries(trees: Trees) -> list[str]:
    """Libraries at the top of files that are not theirs."""
    usual = {*sys.stdlib_module_names, "numpy", "core", "egstalker_blender"}
    found = []
    for path, tree in trees.items():
        allowed = usual.union(*(names for pattern, names in LIBRARIES if fnmatch(path, pattern)))
        for name in imported(path, statements_on_import(tree)):
            if top(name) not in allowed and name != "__package__":
                found.append(f"{path} imports {name}")
    return found


def forbidden_circle(trees: Trees) -> list[str]:
    graph = own_imports(trees)
    for importer, target in ALLOWED_IN_CIRCLES:
        graph[importer].remove(target)
    return circle(graph)


def program() -> Trees:
    return sources("core", "egstalker_blender", "")


def test_a_file_imports_its_own_floor_and_lower_ones() -> None:
    assert climbs(program()) == []


def test_every_folder_of_core_has_one_floor() -> None:
    names = [name for floor in FLOORS for name in floor]
    assert len(names) == len(set(names))
    there = {path.name.removesuffix(".py") for path in (ROOT / "core").iterdir()}
    assert set(names) == {name for name in there if name not in ("__init__", "__pycache__")}


def test_a_climb_is_seen_also_inside_a_function() -> None:
    texts = {
        "core/audio/wav.py": "def load():\n    from ..engine.interface import Engine",
        "core/engine/interface.py": "from ..audio import wav",
    }
    assert climbs(parsed(texts)) == ["core/audio/wav.py imports core/engine/interface.py"]


def test_no_files_import_each_other() -> None:
    assert forbidden_circle(program()) == []
    assert len(ALLOWED_IN_CIRCLES) <= 5
    assert all(len(reason) > 20 for reason in ALLOWED_IN_CIRCLES.values())


def test_a_circle_is_seen_also_through_a_function_and_a_third_file() -> None:
    texts = {
        "core/a.py": "from .b import x",
        "core/b.py": "def f():\n    from . import c",
        "core/c.py": "from . import a",
        "core/d.py": "from . import a",
    }
    assert set(forbidden_circle(parsed(texts))) == {"core/a.py", "core/b.py", "core/c.py"}


def test_core_knows_no_blender() -> None:
    assert foreign_halves(program()) == []
    text = "def f():\n    from ...egstalker_blender import sound"
    assert foreign_halves(parsed({"core/a/b.py": text}))
    assert foreign_halves(parsed({"core/a.py": "import bpy.types"}))


def test_the_add_on_names_no_heavy_library() -> None:
    assert heavy_in_blender(program()) == []
    assert heavy_in_blender(parsed({"egstalker_blender/a.py": "def f():\n    import torch.nn"}))


def test_a_library_is_imported_at_the_top_only_where_it_is_at_home() -> None:
    assert wrong_libraries(program()) == []
    texts = {
        "core/network/numpy/a.py": "import numpy, numba",
        "core/network/numba/a.py": "import numba\ndef f():\n    import torch",
        "core/prepare/a.py": "from requests import get",
        "core/audio/a.py": "try:\n    import librosa\nexcept ImportError:\n    pass",
    }
    assert [line.split()[0] for line in wrong_libraries(parsed(texts))] == [
        "core/network/numpy/a.py", "core/prepare/a.py", "core/audio/a.py"]  # fmt: skip


def closure(trees: Trees) -> dict[str, list[str]]:
    """Modules of core that run inside Blender -> what they import from outside when imported.

    Starts at every core module that the add-on names, also inside functions, and at the protocol
    of the worker; then follows what importing them imports.
    """
    paths = {module_name(path): path for path in trees}
    waiting = ["core.worker.protocol"]
    for path, tree in trees.items():
        if path.startswith("egstalker_blender/"):
            waiting += imported(path, every_statement(tree))
    found: dict[str, list[str]] = {}
    while waiting:
        parts = waiting.pop().split(".")
        # Importing a.b.c runs a and a.b too; c may be a name inside a.b and no module.
        for name in (".".join(parts[: count + 1]) for count in range(len(parts))):
            if name in paths and name.startswith("core") and name not in found:
                wanted = list(imported(paths[name], statements_on_import(trees[paths[name]])))
                found[name] = [want for want in wanted if top(want) != "core"]
                waiting += wanted
    return found


def strangers(found: dict[str, list[str]]) -> list[str]:
    allowed = set(sys.stdlib_module_names) | {"numpy"}
    return [f"{name}: {want}" for name, wants in found.items() for want in wants
            if top(want) not in allowed]  # fmt: skip


def test_what_runs_inside_blender_needs_numpy_alone() -> None:
    found = closure(program())
    assert {"core.errors", "core.worker.protocol"} <= set(found)
    assert strangers(found) == []


def test_closure_sees_a_heavy_import_behind_another_module() -> None:
    texts = {
        "egstalker_blender/panel.py": "def draw():\n    from ..core.audio import load",
        "core/__init__.py": "",
        "core/audio/__init__.py": "from .load import read",
        "core/audio/load.py": "try:\n    import librosa\nexcept ImportError:\n    pass",
        "core/unused.py": "import torch",
    }
    assert strangers(closure(parsed(texts))) == ["core.audio.load: librosa"]


IMPORT_ALL = """
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(name + " is absent")

BLOCKED = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Absent())
for name in sys.argv[2:]:
    importlib.import_module(name)
assert not BLOCKED & set(sys.modules)
print(len(sys.argv[2:]))
"""


def import_without(blocked: set[str], modules: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", IMPORT_ALL, ",".join(sorted(blocked)), *modules]
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def test_what_runs_inside_blender_imports_without_the_heavy_libraries() -> None:
    modules = sorted(closure(program()))
    done = import_without(BLENDER | HEAVY, modules)
    assert (done.returncode, done.stdout.strip()) == (0, str(len(modules))), done.stderr


def test_a_blocked_library_is_missed() -> None:
    done = import_without({"numpy"}, ["core.records.camera"])
    assert done.returncode != 0
    assert "numpy is absent" in done.stderr
