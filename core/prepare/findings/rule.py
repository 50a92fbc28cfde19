"""How a value becomes a finding: by limits, or by a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .record import BAD, FAIR, GOOD, Finding, worst_first

Facts = Mapping[str, Any]  # name -> what was measured; None or absent if it could not be


@dataclass(frozen=True)
class Limit:
    """Judges a number. name: of the finding. fact: name of the number. fair, bad: the grade from
    the limit on that lies nearest; without `bad` the finding is fair at worst. lower_is_worse: the
    direction. text: may contain {value} and other facts. reason: of the limits, for developers."""

    name: str
    fact: str
    unit: str
    fair: float
    bad: float | None
    text: str
    advice: str
    reason: str
    lower_is_worse: bool = False

    def find(self, facts: Facts) -> Finding | None:
        """None if the number is not known."""
        value = facts.get(self.fact)
        if value is None:
            return None
        number = float(value)
        grade = self.grade(number)
        text = self.text.format_map({**facts, "value": number})
        advice = "" if grade == GOOD else self.advice
        return Finding(self.name, grade, round(number, 3), self.unit, text, advice)

    def grade(self, number: float) -> str:
        if self.bad is not None and self._beyond(number, self.bad):
            return BAD
        return FAIR if self._beyond(number, self.fair) else GOOD

    def _beyond(self, number: float, limit: float) -> bool:
        return number < limit if self.lower_is_worse else number > limit

    @property
    def limits(self) -> str:
        """For people."""
        good, bad = ("from", "below") if self.lower_is_worse else ("up to", "above")
        unit = f" {self.unit}" if self.unit else ""
        text = f"good {good} {self.fair:g}{unit}"
        return text if self.bad is None else f"{text}, bad {bad} {self.bad:g}{unit}"


@dataclass(frozen=True)
class Case:
    """grade, text and advice of one word, as in Limit."""

    grade: str
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Kind:
    """Judges a word (or a truth value, as its word). name, fact, reason: as in Limit."""

    name: str
    fact: str
    cases: Mapping[str, Case]
    reason: str

    def find(self, facts: Facts) -> Finding | None:
        """None if the word is not known."""
        word = str(facts.get(self.fact))
        case = self.cases.get(word)
        if case is None:
            return None
        return Finding(self.name, case.grade, word, "", case.text.format_map(facts), case.advice)

    @property
    def limits(self) -> str:
        """For people."""
        return ", ".join(f"{word}: {case.grade}" for word, case in self.cases.items())


Rule = Limit | Kind


def judge(rules: Iterable[Rule], facts: Facts) -> tuple[Finding, ...]:
    """The findings of all rules whose value is known, the worst first."""
    found = (rule.find(facts) for rule in rules)
    return worst_first(finding for finding in found if finding is not None)
