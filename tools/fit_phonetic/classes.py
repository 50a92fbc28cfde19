"""From phonemes to mouth shapes: 21 of speech, named after the sounds that share one; silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_SECONDS = 0.02
SILENCE, UNKNOWN = "sil", "AH"

# Mouth shapes in order, and espeak-ng's names of the phonemes that pass through them.
_NAMES = {
    "AA": "0 A: A",
    "AA ER": "A@ aI3",
    "AA IY": "aI aI2 ai",
    "AA IY ER": "aI@",
    "AA UW": "aU au",
    "AA UW ER": "aU@",
    "AE": "a aa a2",
    "AH": "@ @2 @5 @- V a#",
    "AO": "O: O O2",
    "AO ER": "O@ o@",
    "AO IY": "OI",
    "EH": "E E2 e e:",
    "EH ER": "e@ e@2",
    "EH IY": "eI",
    "ER": "3 3:",
    "FV": "f v",
    "HH": "h ? ??",
    "IH": "I I# I2 I3",
    "IY": "i i: j",
    "IY ER": "i@ i@2 i@3",
    "KG": "k g x N",
    "L": "l l^ @L",
    "MBP": "m b p",
    "OW": "o o:",
    "OW UW": "oU",
    "R": "r r- r#",
    "SH": "S Z tS dZ",
    "SZ": "s z",
    "TD": "t t2 t# d d# n n- n^ *",
    "TH": "T D",
    "UW": "u u: U",
    "UW ER": "U@",
    "W": "w w#",
    "sil": "; _ _! _: _|",
}
SHAPES = {name: tuple(shapes.split()) for shapes, names in _NAMES.items() for name in names.split()}
CLASSES = tuple(sorted({shape for shapes in SHAPES.values() for shape in shapes}))


@dataclass(frozen=True)
class Phoneme:
    """start: seconds; the phoneme lasts until the next one starts."""

    start: float
    name: str


def shapes_of(name: str) -> tuple[str, ...]:
    """The shapes of a phoneme. One that is not in the table is silence if it is a pause, else the
    neutral vowel."""
    return SHAPES.get(name) or ((SILENCE,) if name.startswith("_") else (UNKNOWN,))


def labels(phonemes: Sequence[Phoneme], steps: int) -> NDArray[np.float32]:
    """(steps, 22) ones and zeros: the class at each step of 20 ms. A phoneme of several shapes
    spends equal time in each; what no phoneme covers is silence."""
    result = np.zeros((steps, len(CLASSES)), np.float32)
    times = np.arange(steps) * STEP_SECONDS
    ends = [phoneme.start for phoneme in phonemes[1:]] + [np.inf]
    for phoneme, end in zip(phonemes, ends, strict=True):
        shapes = shapes_of(phoneme.name)
        for step in np.flatnonzero((times >= phoneme.start) & (times < end)):
            part = (times[step] - phoneme.start) / (end - phoneme.start)  # 0 if end is infinite
            result[step, CLASSES.index(shapes[int(part * len(shapes))])] = 1
    result[result.sum(1) == 0, CLASSES.index(SILENCE)] = 1
    return result
