"""A finding: one property of a film and how good it is for a training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

GOOD, FAIR, BAD = "good", "fair", "bad"
GRADES = (GOOD, FAIR, BAD)  # from the best


@dataclass(frozen=True)
class Finding:
    """name: what is judged. grade: of GRADES. value: a number in `unit`, or a word. text: one
    sentence that says what was found. advice: one sentence that says what to do, empty for a good
    one."""

    name: str
    grade: str
    value: float | str
    unit: str
    text: str
    advice: str

    @property
    def shown(self) -> str:
        """The value with its unit."""
        number = self.value if isinstance(self.value, str) else f"{self.value:.3g}"
        return f"{number} {self.unit}".strip()

    @property
    def line(self) -> str:
        """For a terminal."""
        return f"{self.name} is {self.grade}: {self.text} {self.advice}".strip()

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Equal grades keep their order."""
    return tuple(sorted(findings, key=lambda found: -GRADES.index(found.grade)))


def read_findings(documents: Iterable[dict[str, Any]]) -> tuple[Finding, ...]:
    """Findings of `Finding.document`."""
    return tuple(Finding(**document) for document in documents)
