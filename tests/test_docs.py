"""The documentation: its links resolve, and the sections that comments cite exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import architecture

ROOT = Path(__file__).resolve().parents[1]
METHOD = ROOT / "docs" / "method.md"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / ".github").rglob("*.md")]
)
SOURCES = ("core", "egstalker_blender", "tests", ".ci", "tools")

LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CITATION = re.compile(r"method\.md\s+((?:§[\d.]*\d(?:,\s+|\s+to\s+)?)+)")


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    found = HEADING.findall(FENCED.sub("", text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def broken_links(page: Path, text: str) -> list[str]:
    """Links of the page's text to files or headings that do not exist."""
    broken = []
    for link in LINK.findall(FENCED.sub("", text)):
        if re.match(r"[a-z]+:", link):  # an address on the net is not looked up
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if target != page and not target.exists():
            broken.append(link)
        elif anchor:
            there = text if target == page else target.read_text(encoding="utf-8")
            broken += [link] if anchor not in anchors(there) else []
    return broken


def cited_sections(source: str) -> list[str]:
    """Numbers of the sections of method.md that a source cites."""
    return [n for group in CITATION.findall(source) for n in re.findall(r"[\d.]*\d", group)]


def section_numbers(method: str) -> set[str]:
    numbers = (re.match(r"[\d.]*\d", title) for title in HEADING.findall(method))
    return {number[0] for number in numbers if number}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page: Path) -> None:
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_seen() -> None:
    text = "# A title, *so*\n[a](#a-title-so) [b](gone.md) [c](method.md#9-faster-forms) [d](#b)"
    assert broken_links(ROOT / "docs" / "page.md", text) == ["gone.md", "#b"]


def test_cited_sections_of_the_method_exist() -> None:
    known = section_numbers(METHOD.read_text(encoding="utf-8"))
    unknown = [
        f"{path.relative_to(ROOT).as_posix()}: §{number}"
        for folder in SOURCES
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".cu") and path != Path(__file__)
        for number in cited_sections(path.read_text(encoding="utf-8"))
        if number not in known
    ]
    assert unknown == []


def test_a_citation_is_read() -> None:
    text = "see docs/method.md §3.5 to §3.7; method.md\n    §9."
    assert cited_sections(text) == ["3.5", "3.7", "9"]
    assert section_numbers("# Title\n## 3. Frame\n### 3.10 Camera\n") == {"3", "3.10"}


def test_the_architecture_picture_shows_todays_imports() -> None:
    drawn = architecture.picture(architecture.imports())
    assert architecture.TARGET.read_text(encoding="utf-8") == drawn, "run `make architecture`"


def test_an_arrow_that_follows_from_others_is_left_out() -> None:
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert architecture.reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": set()}
    assert architecture.levels(graph) == {"a": 2, "b": 1, "c": 0}
