"""Rules for every source file, each tried on a snippet that breaks it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.support.sources import (
    Trees,
    all_sources,
    every_node,
    every_statement,
    imported,
    parsed,
    sources,
    top,
)

UNSAFE_MODULES = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "joblib"}
OURSELVES = {"core", "egstalker_blender", "egstalker", "bl_ext"}
MAX_LINES = 300
PROGRAM = ("core/", "egstalker_blender/")
STARTERS = {"run", "Popen", "call", "check_call", "check_output", "getoutput"}
UNPACKERS = {"zipfile", "tarfile", "gzip", "bz2", "lzma"}
ARCHIVES = {
    "core/dataset/features.py",
    "core/formats/sog.py",
    "core/formats/spz.py",
    "core/formats/spz_reader.py",
    "core/formats/torch_file.py",
    "core/formats/torch_writer.py",
    "core/metrics/lpips_weights.py",
    "core/network/official/reference_file.py",
    "core/system/archives.py",  # names their errors, opens none
}
TEMPORARY = "core/system/leftovers.py"

Check = Callable[[str, ast.Module], Iterator[str]]


def is_silent(path: str, tree: ast.Module) -> Iterator[str]:
    """core prints nowhere but in its command line."""
    if path.startswith("core/") and path != "core/cli.py" and "core/commands/" not in path:
        for node in every_node(tree):
            if isinstance(node, ast.Name) and node.id == "print":
                yield f"line {node.lineno}: print"


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
    for node in every_node(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in (("sys", "path"), ("site", "addsitedir"))
        ):
            yield f"line {node.lineno}: {node.value.id}.{node.attr}"


def runs_no_foreign_code(path: str, tree: ast.Module) -> Iterator[str]:
    """No eval, no pickles, no shell."""
    for name in imported(path, every_statement(tree)):
        if top(name) in UNSAFE_MODULES:
            yield f"imports {name}"
    for node in every_node(tree):
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


def names_the_variables_of_processes(path: str, tree: ast.Module) -> Iterator[str]:
    """What a process inherits is chosen where it is started; no way around `subprocess`."""
    if not path.startswith(PROGRAM):
        return
    for node in every_node(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name.startswith("subprocess.") and name.partition(".")[2] in STARTERS:
            if "env" not in {word.arg for word in node.keywords}:
                yield f"line {node.lineno}: {name} without env="
        elif re.match(r"os\.(spawn|exec|posix_spawn|startfile|fork)|asyncio\.create_sub", name):
            yield f"line {node.lineno}: {name}"


def opens_archives_where_they_are_bounded(path: str, tree: ast.Module) -> Iterator[str]:
    """Only a few files unpack, each after a check of the sizes; none unpacks to the disk."""
    if not path.startswith(PROGRAM):
        return
    for name in imported(path, every_statement(tree)):
        if top(name) in UNPACKERS and path not in ARCHIVES:
            yield f"imports {name}; check the sizes first, then put the file into ARCHIVES"
    for node in every_node(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("extractall", "unpack_archive"):
            yield f"line {node.lineno}: {node.attr}"


def makes_private_temporary_files(path: str, tree: ast.Module) -> Iterator[str]:
    """tempfile creates for this user alone; names in a shared folder are open to anyone."""
    if not path.startswith(PROGRAM):
        return
    for node in every_node(tree):
        name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if name == "tempfile.mktemp" or (name == "tempfile.gettempdir" and path != TEMPORARY):
            yield f"line {node.lineno}: {name}; use temporary_folder of {TEMPORARY}"


def fits_a_page(path: str, tree: ast.Module) -> Iterator[str]:
    """A file has one subject."""
    last = max((getattr(node, "end_lineno", 0) or 0 for node in tree.body), default=0)
    if last > MAX_LINES:
        yield f"{last} lines; {MAX_LINES} is the ceiling"


def names_no_machine(path: str, tree: ast.Module) -> Iterator[str]:
    """No folder of one machine is written into the program."""
    for node in every_node(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for start in ("/tmp", "/root", "/home", "/work", "C:\\Users"):
                if node.value == start or node.value.startswith((f"{start}/", f"{start}\\")):
                    yield f"line {node.lineno}: {node.value}"


PROGRAM_CHECKS: list[Check] = [
    is_silent,
    imports_relatively,
    names_no_machine,
    runs_no_foreign_code,  # tests may: they make the hostile files that loaders must refuse
    names_the_variables_of_processes,
    opens_archives_where_they_are_bounded,
    makes_private_temporary_files,
]
EVERYWHERE_CHECKS: list[Check] = [leaves_the_path_alone, fits_a_page]
# Each check must see these; without them a check could pass by looking at nothing.
BREACHES: list[tuple[Check, str, str]] = [
    (is_silent, "core/a.py", "print(1)"),
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
    (names_the_variables_of_processes, "core/a.py", "import subprocess\nsubprocess.run(['a'])"),
    (names_the_variables_of_processes, "core/a.py", "import os\nos.execv('a', ['a'])"),
    (opens_archives_where_they_are_bounded, "core/a.py", "import zipfile"),
    (makes_private_temporary_files, "core/a.py", "import tempfile\ntempfile.mktemp()"),
    (makes_private_temporary_files, "core/a.py", "import tempfile\ntempfile.gettempdir()"),
    (fits_a_page, "core/a.py", "a = 1\n" * (MAX_LINES + 1)),
]


def breaches(check: Check, trees: Trees) -> list[str]:
    return [f"{path}: {breach}" for path, tree in trees.items() for breach in check(path, tree)]


@pytest.mark.parametrize("check", PROGRAM_CHECKS, ids=lambda check: check.__name__)
def test_program(check: Check) -> None:
    assert breaches(check, sources("core", "egstalker_blender", ".ci", "")) == []


@pytest.mark.parametrize("check", EVERYWHERE_CHECKS, ids=lambda check: check.__name__)
def test_everywhere(check: Check) -> None:
    assert breaches(check, all_sources()) == []


@pytest.mark.parametrize(("check", "path", "text"), BREACHES)
def test_each_check_sees_a_breach(check: Check, path: str, text: str) -> None:
    assert breaches(check, parsed({path: text}))


def test_no_check_is_without_a_breach() -> None:
    assert {check for check, _, _ in BREACHES} == {*PROGRAM_CHECKS, *EVERYWHERE_CHECKS}
