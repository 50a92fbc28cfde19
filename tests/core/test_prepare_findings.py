"""Findings of a film: every rule on both sides of its limits, and what the rules judge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter1d

from core.prepare.findings.facts import Look, _of_looks
from core.prepare.findings.light import Light, face_area, light_of
from core.prepare.findings.movement import movement_of
from core.prepare.findings.record import (
    BAD,
    FAIR,
    GOOD,
    GRADES,
    Finding,
    read_findings,
    worst_first,
)
from core.prepare.findings.rule import Kind, Limit, judge
from core.prepare.findings.sharpness import edge_blur
from core.prepare.findings.steps import Steps, steps_of
from core.prepare.findings.table import RULES
from tests.support.drawn_person import SIDE, draw, face_at

LIMITS = [rule for rule in RULES if isinstance(rule, Limit)]
KINDS = [rule for rule in RULES if isinstance(rule, Kind)]
TEXTS = {"left_out_text": ": 3 frames at a cut", "moved_text": "", "interval_text": ""}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "training.md"


@pytest.mark.parametrize("rule", LIMITS, ids=lambda rule: rule.name)
def test_a_number_is_graded_on_both_sides_of_each_limit(rule: Limit) -> None:
    worse = -1e-6 if rule.lower_is_worse else 1e-6

    def grade(value: float) -> str:
        found = rule.find({**TEXTS, rule.fact: value})
        assert found is not None and found.name == rule.name and found.unit == rule.unit
        assert "{" not in found.text and found.text.endswith(".")
        assert bool(found.advice) == (found.grade != GOOD)
        return found.grade

    assert [grade(rule.fair), grade(rule.fair + worse)] == [GOOD, FAIR]
    if rule.bad is None:
        assert grade(rule.fair + 1e9 * worse) == FAIR
    else:
        assert (rule.bad - rule.fair) * worse > 0, "bad lies beyond fair"
        assert [grade(rule.bad), grade(rule.bad + worse)] == [FAIR, BAD]


@pytest.mark.parametrize("rule", KINDS, ids=lambda rule: rule.name)
def test_a_word_is_graded(rule: Kind) -> None:
    for word, case in rule.cases.items():
        found = rule.find({rule.fact: word})
        assert found is not None and (found.grade, found.value) == (case.grade, word)
        assert bool(found.advice) == (found.grade != GOOD)
    assert rule.find({rule.fact: "of a later version"}) is None
    assert {case.grade for case in rule.cases.values()} > {GOOD}


def test_what_is_not_known_is_not_judged() -> None:
    assert judge(RULES, {}) == ()
    assert judge(RULES, dict.fromkeys((rule.fact for rule in RULES), None)) == ()


def test_names_are_unique_and_every_rule_has_its_reason() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.reason for rule in RULES)


@pytest.mark.parametrize(("interval", "share"), [(5, 1.0), (6, 1.0), (3, 1.0), (5, 0.0)])
def test_pictures_dropped_at_an_interval_are_seen(interval: int, share: float) -> None:
    """A person moves unevenly; every step over a missing picture is twice as long."""
    random = np.random.default_rng(interval)
    speed = gaussian_filter(random.standard_normal(400), 6)
    changes = (1 + 0.5 * speed / speed.std()).clip(0.2) * random.uniform(0.8, 1.25, 400)
    changes[2::interval] *= 1 + share
    found = steps_of(changes)
    assert found.repeated == 0
    if share:
        assert found.interval == interval and 1.6 < found.longer < 2.4
    else:
        assert found == Steps(0.0)


def test_repeated_pictures_are_counted() -> None:
    changes = np.ones(100)
    changes[::7] = 0.01
    assert steps_of(changes).repeated == pytest.approx(15)
    found = judge(RULES, {"repeated": 15.0, "longer_step": 2.0, "interval_text": ": as a test"})
    assert [(one.name, one.grade) for one in found] == [
        ("repeated pictures", FAIR),
        ("dropped pictures", FAIR),
    ]
    assert "2.0 times as long as the others: as a test" in found[1].text
    assert steps_of(np.zeros(0)) == Steps(0.0)


def test_a_face_under_120_pixels_is_bad() -> None:
    (found,) = judge(RULES, {"face": 119.0})
    assert (found.name, found.grade, found.shown) == ("face size", BAD, "119 px")
    assert judge(RULES, {"face": 121.0})[0].grade == FAIR


def test_the_worst_come_first_and_survive_json() -> None:
    found = judge(RULES, {"face": 300, "blinks": 0, "rate": 15, "background": "still"})
    assert [each.grade for each in found] == [BAD, FAIR, GOOD, GOOD]
    assert worst_first(reversed(found))[0] == found[0] and GRADES == (GOOD, FAIR, BAD)
    text = json.dumps([each.document for each in found], allow_nan=False)
    assert read_findings(json.loads(text)) == found
    assert found[0].line.startswith("blinks is bad: The number of blinks is 0. Use a longer part")


def test_the_documentation_lists_every_rule_with_its_limits() -> None:
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    for rule in RULES:
        start = f"| {rule.name} | {rule.limits} | "
        assert len([line for line in lines if line.startswith(start)]) == 1, start


def lit(left: float, right: float) -> tuple[np.ndarray, np.ndarray]:
    """A grey face whose halves have these values, and its mesh."""
    face = face_at(128, 128, 60)
    pixels = np.full((SIDE, SIDE, 3), left, np.uint8)
    pixels[:, 128:] = right
    return pixels, face


def test_light() -> None:
    even, uneven = light_of(*lit(120, 120)), light_of(*lit(188, 137))
    assert even is not None and uneven is not None
    assert (even.brightness, even.contrast, even.clipped, even.uneven) == (120, 0, 0, 0)
    assert uneven.uneven == pytest.approx(1, abs=0.02)  # 188 is half of the light, 137 a quarter
    assert uneven.contrast == pytest.approx(51)
    bright = light_of(*lit(255, 100))
    assert bright is not None and bright.clipped == pytest.approx(50, abs=2)
    assert light_of(lit(9, 9)[0], face_at(-500, -500, 60)) is None


def test_the_area_of_a_face() -> None:
    area = face_area(SIDE, face_at(128, 128, 60))
    assert area[128, 128] and not area[0, 0] and area.sum() == pytest.approx(np.pi * 3600, rel=0.05)


@pytest.mark.parametrize("blur", [1.0, 2.0, 4.0])
def test_the_blur_of_edges_is_measured(blur: float) -> None:
    y, x = np.indices((SIDE, SIDE))
    checks = 40 + 160.0 * ((x < 128) ^ (y < 128))
    pixels, face = np.repeat(checks[..., None], 3, 2), face_at(128, 128, 60)
    seen = gaussian_filter(pixels, (blur, blur, 0)).astype(np.uint8)
    assert edge_blur(seen, face) == pytest.approx(blur, abs=0.35, rel=0.2)


def test_blur_in_one_direction_is_seen() -> None:
    pixels, _, face = draw_checked()
    still = edge_blur(pixels, face)
    moved = edge_blur(uniform_filter1d(pixels, 9, axis=1), face)
    assert still is not None and moved is not None and moved > 1.5 * still
    assert edge_blur(np.zeros_like(pixels), face) is None


def draw_checked() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from tests.support.drawn_person import Drawn

    pixels, truth, face = draw(Drawn())
    pixels = pixels.copy()
    pixels[90:96, 100:156] = pixels[120:126, 100:156] = 20  # brows, mouth
    pixels[84:130, 126:130] = 20
    return pixels, truth, face


def test_a_clip_is_judged_by_its_usual_frame() -> None:
    usual = Light(120, 80, 1, 0.5)
    looks = [Look(usual, 1.0)] * 9 + [Look(replace(usual, brightness=60), 3.0), Look(None, None)]
    values = _of_looks(looks)
    assert (values["brightness"], values["blur"], values["blurred"]) == (120, 1.0, 10.0)
    assert values["flicker"] == pytest.approx(100 * 33 / 120)
    assert _of_looks([Look(None, None)])["flicker"] is None


def test_movement() -> None:
    face = face_at(128, 128, 60)
    face[10, :2], face[152, :2] = (128, 68), (128, 188)
    face[[234, 454], 0] = 70, 186
    count = 100
    meshes = np.tile(face, (count, 1, 1))
    meshes[:, 14, 1] += np.linspace(0, 60, count)  # one of five points of the lower lip
    still = movement_of(meshes)
    assert still.turns == pytest.approx(0, abs=1e-6) and still.face == pytest.approx(120, abs=2)
    assert still.mouth == pytest.approx(100 * 0.9 * 12 / 60, abs=0.5)
    angle = np.radians(np.linspace(-20, 20, count))
    turned = meshes - 128
    x = turned[..., 0] * np.cos(angle)[:, None] + turned[..., 2] * np.sin(angle)[:, None]
    z = turned[..., 2] * np.cos(angle)[:, None] - turned[..., 0] * np.sin(angle)[:, None]
    turned = np.stack([x, turned[..., 1], z], -1) + 128
    found = movement_of(turned)
    assert found.turns == pytest.approx(36, abs=2) and found.far == 0


def test_a_finding_shows_a_word_or_a_number() -> None:
    assert Finding("a", GOOD, "still", "", "A.", "").shown == "still"
    assert Finding("a", GOOD, 0.12345, "%", "A.", "").shown == "0.123 %"
