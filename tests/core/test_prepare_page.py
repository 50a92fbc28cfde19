"""The page of a preparation: it holds every finding, escapes text, needs nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from core.pages.records import Timeline
from core.pages.svg import svg_of_timeline
from core.prepare.findings.record import BAD, GOOD, Finding
from core.prepare.findings.rule import judge
from core.prepare.findings.table import RULES
from core.prepare.report.page import Column, page_of
from core.prepare.shots import BLACK, BRIEF, Shots

EVIL = '<script src="http://example.org/x.js">&"\''
FACTS = {
    "video": (640, 480),
    "crop": (10, 20, 300),
    "rate": 30.0,
    "turned": 90,
    "pixel_aspect": 1.0667,
    "sound_offset_applied_ms": 240,
    "sound_holes_s": [[1.0, 2.5]],
}


def shots() -> Shots:
    reason = np.zeros(100, np.int8)
    reason[10:20], reason[50:75] = BLACK, BRIEF
    return Shots(np.zeros(100, np.int32), reason)


def page(findings: tuple[Finding, ...], name: str = "talk.mp4", **more: object) -> str:
    pictures = tuple(np.full((8, 8, 3), 40 * k, np.uint8) for k in range(4))
    return page_of(name, findings, [Column(25, pictures)], shots(), {**FACTS, **more})


def test_it_holds_every_finding_in_their_order() -> None:
    numbers = {rule.fact: 0.0 for rule in RULES} | {"background": "jumps", "belongs": "no"}
    findings = judge(RULES, {**numbers, "moved_text": "", "left_out_text": "", "interval_text": ""})
    assert len(findings) == len(RULES)
    text = page(findings)
    places = [text.index(f"<td>{finding.name}</td>") for finding in findings]
    assert places == sorted(places)
    for finding in findings:
        assert finding.shown in text
        assert finding.text.replace("'", "&#x27;") in text
        assert finding.advice.replace("'", "&#x27;") in text
    bad = sum(finding.grade == BAD for finding in findings)
    assert bad and f"{bad} bad" in text


def test_it_needs_nothing_else() -> None:
    text = page(())
    assert not re.search(r"https?:|<script|<link|@import|url\(", text)
    sources = re.findall(r'src="([^"]{0,30})', text)
    assert len(sources) == 4 and all(s.startswith("data:image/jpeg;base64,/9j/") for s in sources)
    assert "<th>1.0 s</th>" in text


def test_text_from_files_is_text_and_nothing_else() -> None:
    evil = Finding(EVIL, GOOD, EVIL, EVIL, EVIL, EVIL)
    text = page((evil,), EVIL, colour=EVIL, segmenter=EVIL)
    assert "<script" not in text and 'js">' not in text
    assert text.count("&lt;script src=") == 9  # twice the title, five of the finding, two facts


def test_it_says_what_was_done_and_what_is_used() -> None:
    text = page(())
    for words in (
        "640x480; the square at 10, 20 with a side of 300 pixels",
        "30 pictures a second became 25",
        "turned upright (90 degrees)",
        "1.067 wide; made square",
        "moved by 240 ms",
        "1.0 to 2.5 s",
        "65 of 100 used (2.6 of 4.0 s)",
    ):
        assert words in text
    assert "Interlacing" not in text and "Mirroring" not in text


def test_the_time_line_shows_each_stretch_that_is_left_out() -> None:
    (svg,) = re.findall(r"<svg.*?</svg>", page(()))
    titles = [title.text for title in ElementTree.fromstring(svg).iter("title")]
    assert titles == ["black, 0.40 to 0.80 s", "in shots under half a second, 2.00 to 3.00 s"]


def test_a_time_line_is_to_scale() -> None:
    svg = svg_of_timeline(Timeline("t", 10.0, ("a", EVIL), ((2.0, 4.0, 1),)))
    bar, span = (
        {key: float(each.attrib[key]) for key in ("x", "width")}
        for each in ElementTree.fromstring(svg).iter("rect")
    )
    fifth = pytest.approx(0.2 * bar["width"], abs=0.01)
    assert (span["x"] - bar["x"], span["width"]) == (fifth, fifth)
