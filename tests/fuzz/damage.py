"""Hypothesis strategies that damage files: bytes, numbers, words and lines, at any place."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

INTEGERS = (0, 1, -1, 2, 127, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
REALS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e-40, 3.4e38, 1e300)
WORDS = (
    b"nan", b"-inf", b"-1", b"0", b"0.5", b"1e999", b"1e-400", b"99999999999999999999", b"",
    b'""', b"null", b"true", b"[]", b"{}", b"[[1]]", b"\xff", b"\0", b"../../x", b"/", b"\r\n",
    b" ", b",", "頭".encode(),
)  # fmt: skip
WORD = re.compile(rb"[\w.+-]+")
FORMS = ("<b", "<h", ">h", "<i", ">i", "<q", ">q")


def change(data: bytes, at: int, some: bytes, number: int) -> bytes:
    return data[:at] + some + data[at + len(some) :]


def insert(data: bytes, at: int, some: bytes, number: int) -> bytes:
    return data[:at] + some + data[at:]


def delete(data: bytes, at: int, some: bytes, number: int) -> bytes:
    return data[:at] + data[at + 1 + number :]


def cut(data: bytes, at: int, some: bytes, number: int) -> bytes:
    return data[:at]


def repeat(data: bytes, at: int, some: bytes, number: int) -> bytes:
    return data[:at] + data[at : at + 64] * (number % 50) + data[at:]


def integer(data: bytes, at: int, some: bytes, number: int) -> bytes:
    form = FORMS[number % len(FORMS)]
    value = INTEGERS[number % len(INTEGERS)]
    bits = 8 * struct.calcsize(form)
    wrapped = (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    return change(data, at, struct.pack(form, wrapped), 0)


def real(data: bytes, at: int, some: bytes, number: int) -> bytes:
    value = REALS[number % len(REALS)]
    form = "<d" if number % 2 or value == 1e300 else "<f"
    return change(data, at - at % 4, struct.pack(form, value), 0)


def word(data: bytes, at: int, some: bytes, number: int) -> bytes:
    """Replace the next word or number after `at`."""
    found = WORD.search(data, at)
    if found is None:
        return data
    return data[: found.start()] + WORDS[number % len(WORDS)] + data[found.end() :]


def line(data: bytes, at: int, some: bytes, number: int) -> bytes:
    """Move the line after `at` to another place, or repeat it there."""
    lines = data.split(b"\n")
    chosen = lines[at % len(lines)]
    if number % 2:
        lines.remove(chosen)
    lines.insert(number % (len(lines) + 1), chosen)
    return b"\n".join(lines)


Edit = Callable[[bytes, int, bytes, int], bytes]
BYTES: tuple[Edit, ...] = (change, insert, delete, cut, repeat, integer, real)
TEXT: tuple[Edit, ...] = (word, line)
# Headers come first in a file, so half of the edits are made there.
PLACES = st.integers(0, 255) | st.integers(0, 2**20)


Edits = Sequence[tuple[Edit, int, bytes, int]]
Drawn = tuple[int, Edits] | bytes
EDIT = st.tuples(
    st.sampled_from(BYTES + TEXT), PLACES, st.binary(min_size=1, max_size=8), st.integers(0, 999)
)
# Edits and not files: Hypothesis remembers what it drew, and a file may be large.
EDITS = st.tuples(st.integers(0, 9), st.lists(EDIT, min_size=1, max_size=4))
DRAWN: st.SearchStrategy[Drawn] = st.one_of(
    EDITS, EDITS, EDITS, EDITS, EDITS, st.binary(max_size=200)
)


def damaged(seeds: Sequence[bytes], drawn: Drawn) -> bytes:
    """One of the seeds with one to four edits, or random bytes."""
    if isinstance(drawn, bytes):
        return drawn
    number, edits = drawn
    return _edited(seeds[number % len(seeds)], edits)


def _edited(data: bytes, edits: Edits) -> bytes:
    for edit, place, some, number in edits:
        data = edit(data, place % (len(data) + 1), some, number)
    return data
