"""The project's own Python files, parsed once, and what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("core", "egstalker_blender", "tests", "tools", ".ci")

Trees = dict[str, ast.Module]


@lru_cache(maxsize=1)
def all_sources() -> Trees:
    """Path from the root -> syntax tree, of every Python file in FOLDERS and of the root's own."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    assert paths, f"no Python file under {ROOT}"
    return parsed(
        {
            path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
            for path in [*paths, ROOT / "__init__.py"]
        }
    )


def sources(*folders: str) -> Trees:
    """Those of all_sources below these folders; "" for the root's own."""
    found = {
        path: tree
        for path, tree in all_sources().items()
        if (path.split("/")[0] if "/" in path else "") in folders
    }
    assert found, f"no Python file under {folders}"
    return found


def parsed(texts: dict[str, str]) -> Trees:
    return {path: ast.parse(text) for path, text in texts.items()}


def module_name(path: str) -> str:
    """core/audio/__init__.py -> core.audio"""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def top(name: str) -> str:
    return name.split(".")[0]


def imported(path: str, nodes: Iterable[ast.stmt]) -> Iterator[str]:
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


@cache
def every_node(tree: ast.Module) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree))


@cache
def every_statement(tree: ast.Module) -> tuple[ast.stmt, ...]:
    """Also those inside functions."""
    return tuple(node for node in every_node(tree) if isinstance(node, ast.stmt))


@cache
def statements_on_import(tree: ast.Module) -> tuple[ast.stmt, ...]:
    """Statements that run when the module is imported: no function bodies, no TYPE_CHECKING."""
    found: list[ast.stmt] = []
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.stmt):
            found.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return tuple(found)


def own_imports(trees: Trees) -> dict[str, set[str]]:
    """File -> files of `trees` that it imports by name, also inside functions. A package that is
    merely passed through, or asked for its __package__, does not count."""
    paths = {module_name(path): path for path in trees}
    graph: dict[str, set[str]] = {}
    for path, tree in trees.items():
        graph[path] = set()
        for name in imported(path, every_statement(tree)):
            package, _, last = name.rpartition(".")
            found = paths.get(name) or (paths.get(package) if last != "__package__" else None)
            if found is not None and found != path:
                graph[path].add(found)
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Files that import each other in this order, the first also last; empty where none do."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
