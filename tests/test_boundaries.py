"""The walls of the house, each checked on the sources and tried on a snippet that breaks it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLENDER = {
    "bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "gpu_extras", "blf", "aud", "addon_utils",
    "imbuf"}  # fmt: skip
HEAVY = {
    "torch", "gsplat", "numba", "librosa", "soundfile", "sounddevice", "audioread", "PIL", "scipy",
    "mediapipe", "cv2", "av"}  # fmt: skip
OURSELVES = {"core", "egstalker_blender", "egstalker", "bl_ext"}
UNSAFE_MODULES = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "joblib"}
MAX_LINES = 300

Check = Callable[[str, ast.Module], Iterator[str]]


def sources(*folders: str) -> dict[str, str]:
    """Path from the root -> text, of every Python file in the folders."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    assert files, f"no Python file under {folders}"
    return files


def module_name(path: str) -> str:
    """core/audio/__init__.py -> core.audio"""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(path: str, nodes: Iterator[ast.stmt] | list[ast.stmt]) -> Iterator[str]:
    """Full dotted names that import statements ask for; relative ones resolved from `path`."""
    package = path.removesuffix(".py").split("/")[:-1]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}" if base else alias.name


def every_statement(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def statements_on_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported: no function bodies, no TYPE_CHECKING."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.stmt):
            yield node
        waiting.extend(ast.iter_child_nodes(node))


def top(name: str) -> str:
    return name.split(".")[0]


def knows_no_blender(path: str, tree: ast.Module) -> Iterator[str]:
    """core knows neither Blender nor the add-on."""
    if path.startswith("core/"):
        for name in imported(path, every_statement(tree)):
            if top(name) in BLENDER | {"egstalker_blender"}:
                yield f"imports {name}"


def is_silent(path: str, tree: ast.Module) -> Iterator[str]:
    """core prints nowhere but in its command line."""
    if path.startswith("core/") and path != "core/cli.py" and "core/commands/" not in path:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id == "print":
                yield f"line {node.lineno}: print"


def has_no_heavy_import(path: str, tree: ast.Module) -> Iterator[str]:
    """The add-on names no library that Blender lacks, not even inside a function."""
    if path.startswith("egstalker_blender/"):
        for name in imported(path, every_statement(tree)):
            if top(name) in HEAVY:
                yield f"imports {name}"


def imports_relatively(path: str, tree: ast.Module) -> Iterator[str]:
    """The package has three names (extension, worker, tests), so it never calls itself by one."""
    for node in every_statement(tree):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level):
            for name in imported(path, [node]):
                if top(name) in OURSELVES:
                    yield f"line {node.lineno}: imports {name} absolutely"


def leaves_the_path_alone(path: str, tree: ast.Module) -> Iterator[str]:
    """Nobody touches sys.path."""
    for name in imported(path, every_statement(tree)):
        if name in ("sys.path", "site.addsitedir"):
            yield f"imports {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.path", "site.addsitedir"):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def runs_no_foreign_code(path: str, tree: ast.Module) -> Iterator[str]:
    """No eval, no pickles, no shell."""
    for name in imported(path, every_statement(tree)):
        if top(name) in UNSAFE_MODULES:
            yield f"imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in ("eval", "exec", "__import__", "os.system", "os.popen"):
            yield f"line {node.lineno}: {name}"
        if keywords.get("shell", "False") != "False":
            yield f"line {node.lineno}: shell={keywords['shell']}"
        if keywords.get("allow_pickle", "False") != "False":
            yield f"line {node.lineno}: allow_pickle={keywords['allow_pickle']}"
        if name == "torch.load" and keywords.get("weights_only") != "True":
            yield f"line {node.lineno}: torch.load without weights_only=True"


def fits_a_page(path: str, tree: ast.Module) -> Iterator[str]:
    """A file has one subject."""
    last = max((getattr(node, "end_lineno", 0) or 0 for node in ast.walk(tree)), default=0)
    if last > MAX_LINES:
        yield f"{last} lines; {MAX_LINES} is the ceiling"


def names_no_machine(path: str, tree: ast.Module) -> Iterator[str]:
    """No folder of one machine is written into the program."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for start in ("/tmp", "/root", "/home", "/work", "C:\\Users"):
                if node.value == start or node.value.startswith((f"{start}/", f"{start}\\")):
                    yield f"line {node.lineno}: {node.value}"


PROGRAM_CHECKS: list[Check] = [
    knows_no_blender,
    is_silent,
    has_no_heavy_import,
    imports_relatively,
    names_no_machine,
    runs_no_foreign_code,  # tests may: they make the hostile files that loaders must refuse
]
EVERYWHERE_CHECKS: list[Check] = [leaves_the_path_alone, fits_a_page]
# Each check must see these; without them a check could pass by looking at nothing.
BREACHES: list[tuple[Check, str, str]] = [
    (knows_no_blender, "core/a/b.py", "def f():\n    from ...egstalker_blender import sound"),
    (knows_no_blender, "core/a.py", "import bpy.types"),
    (is_silent, "core/a.py", "print(1)"),
    (has_no_heavy_import, "egstalker_blender/a.py", "def f():\n    import torch.nn"),
    (imports_relatively, "core/a.py", "from core.errors import EgsError"),
    (imports_relatively, "egstalker_blender/a.py", "import bl_ext.user_default.egstalker"),
    (names_no_machine, "core/a.py", "FOLDER = '/tmp/cache'"),
    (leaves_the_path_alone, "core/a.py", "import sys\nsys.path += ['x']"),
    (leaves_the_path_alone, "core/a.py", "import sys\nsys.path.insert(0, 'x')"),
    (leaves_the_path_alone, "core/a.py", "import sys\nsys.path[0] = 'x'"),
    (leaves_the_path_alone, "core/a.py", "from sys import path"),
    (runs_no_foreign_code, "core/a.py", "import subprocess\nsubprocess.run('a', shell=True)"),
    (runs_no_foreign_code, "core/a.py", "eval('1')"),
    (runs_no_foreign_code, "core/a.py", "import os\nos.system('ls')"),
    (runs_no_foreign_code, "core/a.py", "from pickle import load"),
    (runs_no_foreign_code, "core/a.py", "import torch\ntorch.load('a', map_location='cpu')"),
    (runs_no_foreign_code, "core/a.py", "import numpy as np\nnp.load('a', allow_pickle=True)"),
    (fits_a_page, "core/a.py", "a = 1\n" * (MAX_LINES + 1)),
]


def breaches(check: Check, files: dict[str, str]) -> list[str]:
    return [
        f"{path}: {breach}"
        for path, text in files.items()
        for breach in check(path, ast.parse(text))
    ]


@pytest.mark.parametrize("check", PROGRAM_CHECKS, ids=lambda check: check.__name__)
def test_program(check: Check) -> None:
    root_file = {"__init__.py": (ROOT / "__init__.py").read_text(encoding="utf-8")}
    assert breaches(check, sources("core", "egstalker_blender", ".ci") | root_file) == []


@pytest.mark.parametrize("check", EVERYWHERE_CHECKS, ids=lambda check: check.__name__)
def test_everywhere(check: Check) -> None:
    assert breaches(check, sources("core", "egstalker_blender", "tests", ".ci")) == []


@pytest.mark.parametrize(("check", "path", "text"), BREACHES)
def test_each_check_sees_a_breach(check: Check, path: str, text: str) -> None:
    assert breaches(check, {path: text})


def test_no_check_is_without_a_breach() -> None:
    assert {check for check, _, _ in BREACHES} == {*PROGRAM_CHECKS, *EVERYWHERE_CHECKS}


def closure(files: dict[str, str]) -> dict[str, list[str]]:
    """Modules of core that run inside Blender -> what they import from outside when imported.

    Starts at every core module that the add-on names, also inside functions, and at the protocol
    of the worker; then follows what importing them imports.
    """
    paths = {module_name(path): path for path in files}
    waiting = ["core.worker.protocol"]
    for path, text in files.items():
        if path.startswith("egstalker_blender/"):
            waiting += imported(path, every_statement(ast.parse(text)))
    found: dict[str, list[str]] = {}
    while waiting:
        parts = waiting.pop().split(".")
        # Importing a.b.c runs a and a.b too; c may be a name inside a.b and no module.
        for name in (".".join(parts[: count + 1]) for count in range(len(parts))):
            if name in paths and name.startswith("core") and name not in found:
                tree = ast.parse(files[paths[name]])
                wanted = list(imported(paths[name], statements_on_import(tree)))
                found[name] = [want for want in wanted if top(want) != "core"]
                waiting += wanted
    return found


def strangers(found: dict[str, list[str]]) -> list[str]:
    allowed = set(sys.stdlib_module_names) | {"numpy"}
    return [f"{name}: {want}" for name, wants in found.items() for want in wants
            if top(want) not in allowed]  # fmt: skip


def test_what_runs_inside_blender_needs_numpy_alone() -> None:
    found = closure(sources("core", "egstalker_blender"))
    assert {"core.errors", "core.worker.protocol"} <= set(found)
    assert strangers(found) == []


def test_closure_sees_a_heavy_import_behind_another_module() -> None:
    files = {
        "egstalker_blender/panel.py": "def draw():\n    from ..core.audio import load",
        "core/__init__.py": "",
        "core/audio/__init__.py": "from .load import read",
        "core/audio/load.py": "try:\n    import librosa\nexcept ImportError:\n    pass",
        "core/unused.py": "import torch",
    }
    assert strangers(closure(files)) == ["core.audio.load: librosa"]


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
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_what_runs_inside_blender_imports_without_the_heavy_libraries() -> None:
    modules = sorted(closure(sources("core", "egstalker_blender")))
    done = import_without(BLENDER | HEAVY, modules)
    assert (done.returncode, done.stdout.strip()) == (0, str(len(modules))), done.stderr


def test_a_blocked_library_is_missed() -> None:
    done = import_without({"numpy"}, ["core.camera"])
    assert done.returncode != 0
    assert "numpy is absent" in done.stderr
