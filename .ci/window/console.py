"""What in Blender's console means that something went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

CONTEXT_LINES = 12  # shown of a traceback

WRONG = re.compile(
    r"Traceback \(most recent call last\)"
    r"|\b\w*(?:Error|Exception|Warning)\b: "
    r"|\b(?:ERROR|CRITICAL|FATAL)\b"
    r"|Segmentation fault|ABORT|SIGABRT|SIGSEGV|EXCEPTION_ACCESS_VIOLATION"
    r"|has been registered before|Not freed memory blocks|never be garbage collected"
)
# Of the system, not of the extension: no sound card, no newer graphics, reports of operators.
HARMLESS = re.compile(
    r"^ALSA lib |^AL lib: |^jack|JackShmReadWrite|^Cannot connect to server"
    r"|EGL_BAD_MATCH|libEGL warning|MESA-?LOADER|^MESA: |^Warning: "
    r"|Could not get a list of mounted file-systems"
    r"|VK_ERROR|vulkan: No DRI3|lavapipe is not a conformant"
)


@dataclass(frozen=True)
class Problem:
    """line: its number, from 1. text: the line, and what follows where it is a traceback."""

    line: int
    text: str


def problems(console: str) -> list[Problem]:
    """Every error and traceback of the console's text; a traceback counts once."""
    lines = console.splitlines()
    found = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if not WRONG.search(line) or HARMLESS.search(line):
            number += 1
            continue
        length = _length_of_traceback(lines, number) if "Traceback" in line else 1
        shown = lines[number : number + min(length, CONTEXT_LINES)]
        found.append(Problem(number + 1, "\n".join(shown)))
        number += length
    return found


def _length_of_traceback(lines: list[str], start: int) -> int:
    """Its lines are indented; the first that is not names the error and ends it."""
    end = start + 1
    while end < len(lines) and (lines[end].startswith((" ", "\t")) or not lines[end].strip()):
        end += 1
    return min(end + 1, len(lines)) - start
