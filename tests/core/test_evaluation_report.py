"""The three files of a report: self-contained, escaped, complete."""

from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from core.errors import OutputError
from core.evaluation.evaluate import write_report
from core.evaluation.measures import MEASURES, measured
from core.evaluation.record import Metric, Report, Section, document_of
from core.evaluation.report.page import page_of
from core.evaluation.report.pictures import difference
from core.evaluation.report.tables import text_of
from core.pages.records import Curve, Strip
from core.pages.svg import svg_of

EVIL = '<script src="http://example.org/x.js">&"\''


def report(name="head"):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (20, 16, 3), np.uint8)
    metrics = (
        Metric("psnr", f"PSNR of {name}", 38.678, "dB", "up", f"note of {name}"),
        measured("lmd", math.nan, missing=f"no landmarks in {name}"),
    )
    values = (1.0, math.nan, 3.0, 2.0)
    curve = Curve("c", f"curve of {name}", name, name, (0.0, 1.0, 2.0, 3.0), {name: values}, (1.0,))
    strip = Strip(f"strip of {name}", (name, "avatar"), ((name, (picture, picture)),))
    section = Section("val", f"section {name}", f"about {name}", metrics, (curve,), (strip,))
    return Report(f"{name} on clip", {"Licence": name}, (section,), (f"noted: {name}",))


def test_the_page_needs_nothing_else():
    page = page_of(report())
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 2 and all(s.startswith("data:image/jpeg;base64,/9j/") for s in sources)
    assert page.count("<svg") == 1 and "38.68" in page and "not measured" in page


def test_names_from_files_are_text_and_nothing_else():
    page = page_of(report(EVIL))
    assert "<script" not in page and 'js">' not in page
    assert page.count("&lt;script src=") >= 10
    svg = svg_of(report(EVIL).sections[0].curves[0])
    assert ElementTree.fromstring(svg).get("aria-label") == f"curve of {EVIL}"


def test_json_holds_the_numbers_and_no_nan():
    document = json.loads(json.dumps(document_of(report()), allow_nan=False))
    section = document["sections"]["val"]
    assert section["values"] == {"psnr": 38.678, "lmd": None}
    assert section["notes"]["lmd"] == "no landmarks in head"
    assert section["curves"]["c"]["series"]["head"] == [1, None, 3, 2]
    assert document["version"] == 1 and document["facts"] == {"Licence": "head"}


def test_text_says_what_was_not_measured_and_why():
    text = text_of(report())
    assert re.search(r"PSNR of head +38\.68 dB", text)
    assert re.search(r"\(LMD\) +not measured +no landmarks in head", text)
    assert "note: noted: head" in text


def test_a_number_has_the_label_and_unit_of_its_key():
    lmd = measured("lmd", 1.25, "a note")
    assert lmd == Metric("lmd", "Mouth landmark distance (LMD)", 1.25, "px", "down", "a note")
    assert measured("loudness_correlation", 0.5, better="up").better == "up"
    assert len({measure.label for measure in MEASURES.values()}) == len(MEASURES)


def test_curves_have_gaps_where_nothing_is_known():
    (curve,) = report().sections[0].curves
    (path,) = re.findall(r'<path d="([^"]*)"', svg_of(curve))
    assert path.count("M") == 2 and path.count("L") == 1 and "nan" not in svg_of(curve)
    flat = Curve("f", "f", "x", "y", (5.0,), {"a": (2.0,)})
    empty = Curve("e", "e", "x", "y", (), {"a": ()})
    for odd in (flat, empty):
        ElementTree.fromstring(svg_of(odd))


def test_differences_are_fourfold_and_stay_in_range():
    a = np.array([[[10, 0, 200]]], np.uint8)
    b = np.array([[[0, 10, 0]]], np.uint8)
    assert difference(a, b).tolist() == [[[40, 40, 255]]]


def test_files_are_written_whole(tmp_path):
    paths = write_report(report(), tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["report.json", "report.txt", "report.html"]
    assert sorted(path.name for path in (tmp_path / "new/folder").iterdir()) == sorted(
        path.name for path in paths
    )
    assert json.loads(paths[0].read_text(encoding="utf-8"))["title"] == "head on clip"
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_report(report(), tmp_path / "file" / "x")
    lone = report("\ud800")  # half a character, as a damaged file name gives
    write_report(lone, tmp_path)
