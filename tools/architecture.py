"""Draws docs/architecture.svg from the imports of the code: `python -m tools.architecture`.

A box is a folder of core/ (or the add-on, or the command line); an arrow points from a folder to
one that it imports. Arrows that follow from others are left out, so that the picture can be read.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "architecture.svg"
ADD_ON = "egstalker_blender"
LOOSE = {"cli": "commands", "__main__": "commands"}  # files of core that belong to a folder

WIDTH, BOX_WIDTH, BOX_HEIGHT, LANE, GAP, ROW = 1180, 190, 74, 8, 16, 122
NAME = 'font-size="15" font-weight="600" fill="#1b1f24"'
TEXT = 'font-size="10" fill="#57606a"'

Graph = dict[str, set[str]]


def box_of(path: Path) -> str:
    """The box that a Python file belongs to: core/audio/wav.py -> audio."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == ADD_ON:
        return ADD_ON
    name = parts[1].removesuffix(".py")
    return LOOSE.get(name, name)


def imports() -> Graph:
    """Box -> boxes that it imports, also inside functions."""
    files = {path for half in ("core", ADD_ON) for path in (ROOT / half).rglob("*.py")}
    files.discard(ROOT / "core" / "__init__.py")
    graph: Graph = {box_of(path): set() for path in files}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for alias in node.names:
                target = own_file(base / alias.name) or own_file(base)
                if target is not None:
                    graph[box_of(path)] |= {box_of(target)} - {box_of(path)}
    return graph


def own_file(module: Path) -> Path | None:
    """The file or folder of a module; None if there is none, or if it is one of the two halves."""
    if module in (ROOT, ROOT / "core", ROOT / ADD_ON):
        return None
    return next((path for path in (module.with_suffix(".py"), module) if path.exists()), None)


def reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def reduced(graph: Graph) -> Graph:
    """The graph without the arrows that follow from others."""
    below = {name: reachable(graph, name) for name in graph}
    return {
        name: {target for target in targets if not any(target in below[via] for via in targets)}
        for name, targets in graph.items()
    }


def levels(graph: Graph) -> dict[str, int]:
    """Length of each box's longest path, so that every arrow points to a lower row."""
    found: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((level(target) for target in graph[name]), default=-1)
        return found[name]

    for name in sorted(graph):
        level(name)
    return found


def first_sentence(name: str) -> str:
    folder = ROOT / name if name == ADD_ON else ROOT / "core" / name
    source = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    doc = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(re.split(r"\.\s", doc)[0].rstrip(".").split())


def wrapped(text: str, columns: int = 33, lines: int = 3) -> list[str]:
    rows = [""]
    for word in text.split():
        if rows[-1] and len(rows[-1]) + 1 + len(word) > columns:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}".strip()
    return [*rows[: lines - 1], rows[lines - 1] + " ..."] if len(rows) > lines else rows


@dataclass(frozen=True)
class Stop:
    """A box, or the place in a row where an arrow to a lower row passes between boxes."""

    name: str
    level: int
    is_box: bool

    @property
    def width(self) -> float:
        return BOX_WIDTH if self.is_box else LANE


def ways(graph: Graph) -> list[list[Stop]]:
    """Each arrow as its stops, one in every row that it meets."""
    level = levels(graph)
    return [
        [
            Stop(name, level[name], True),
            *(
                Stop(f"{name} {target}", row, False)
                for row in range(level[name] - 1, level[target], -1)
            ),
            Stop(target, level[target], True),
        ]
        for name in sorted(graph)
        for target in sorted(graph[name])
    ]


def places(graph: Graph, arrows: list[list[Stop]]) -> dict[Stop, tuple[float, float]]:
    """Stop -> the middle of its upper edge. Rows are ordered by the targets of their stops."""
    rows: dict[int, set[Stop]] = {}
    for name, level in levels(graph).items():
        rows.setdefault(level, set()).add(Stop(name, level, True))
    below: dict[Stop, list[Stop]] = {}
    for stops in arrows:
        for stop, target in pairwise(stops):
            rows[stop.level].add(stop)
            below.setdefault(stop, []).append(target)
    found: dict[Stop, tuple[float, float]] = {}
    for level in sorted(rows):
        wanted = {
            stop: mean(found[target][0] for target in below.get(stop, [])) if stop in below else 0.0
            for stop in rows[level]
        }
        row = sorted(rows[level], key=lambda stop: (wanted[stop], stop.name))
        left = (WIDTH - sum(stop.width + GAP for stop in row) + GAP) / 2
        for stop in row:
            found[stop] = (left + stop.width / 2, 20.0 + (max(rows) - level) * ROW)
            left += stop.width + GAP
    return found


def picture(graph: Graph) -> str:
    graph = reduced(graph)
    arrows = ways(graph)
    where = places(graph, arrows)
    height = max(y for _, y in where.values()) + BOX_HEIGHT + 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        'font-family="Helvetica, Arial, sans-serif" role="img">',
        "<title>Folders of the program and what they import</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#8c959f"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>',
        *(curve([where[stop] for stop in stops]) for stops in arrows),
    ]
    for stop, (x, y) in sorted(where.items(), key=lambda item: item[0].name):
        if stop.is_box:
            out += box(stop.name, x - BOX_WIDTH / 2, y)
    return "\n".join([*out, "</svg>", ""])


def curve(points: list[tuple[float, float]]) -> str:
    """From the lower edge of the first stop, straight through those between, to the last one."""
    x, y = points[0][0], points[0][1] + BOX_HEIGHT
    path = f"M{x:g} {y:g}"
    for index, (to_x, to_y) in enumerate(points[1:], 1):
        bend = (to_y - y) * 0.55
        path += f"C{x:g} {y + bend:g} {to_x:g} {to_y - bend:g} {to_x:g} {to_y:g}"
        x, y = to_x, to_y + BOX_HEIGHT
        if index < len(points) - 1:
            path += f"L{x:g} {y:g}"
    return (
        f'<path d="{path}" fill="none" stroke="#8c959f" stroke-width="1.2" marker-end="url(#tip)"/>'
    )


def box(name: str, x: float, y: float) -> list[str]:
    fill = "#fff4e5" if name == ADD_ON else "#eef6ff"
    out = [
        f'<rect x="{x:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7" '
        f'fill="{fill}" stroke="#57606a"/>',
        f'<text x="{x + 10:g}" y="{y + 21:g}" {NAME}>{escape(name)}</text>',
    ]
    return out + [
        f'<text x="{x + 10:g}" y="{y + 37 + 13 * index:g}" {TEXT}>{escape(line)}</text>'
        for index, line in enumerate(wrapped(first_sentence(name)))
    ]


if __name__ == "__main__":
    TARGET.write_text(picture(imports()), encoding="utf-8")
