"""File and folder names that every operating system accepts, made from names that users give."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence

LONGEST = 100  # bytes of UTF-8; most file systems allow 255, and a frame number and suffix follow
EMPTY = "unnamed"

# Windows: these characters, and these names with any suffix, are no file names.
# Surrogates stand for bytes of a name that are no text.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


def safe_name(text: str) -> str:
    """`text` as one file name, not empty, at most LONGEST bytes: composed letters (NFC), "_" for
    what Windows forbids, no blank or full stop at either end, no name of a device."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text))
    name = _shortened(name.strip(" ."), LONGEST)
    if not name:
        return EMPTY
    return f"_{name}" if _DEVICES.fullmatch(name) else name


def full_path(path: str, windows: bool = os.name == "nt") -> str:
    """A full path as Blender must be given it, for which `//` is the folder of the .blend: shares
    of a network begin with two backslashes on Windows, and elsewhere nothing begins with two
    slashes."""
    if path[:2] not in ("//", "\\/", "/\\"):
        return path
    if windows:
        return "\\\\" + path[2:].replace("/", "\\")
    return "/" + path.lstrip("/") if path.startswith("//") else path


def printable(text: str) -> str:
    """`text` without surrogates, which no encoding and no Blender name can hold."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def distinct_names(texts: Sequence[str]) -> list[str]:
    """A safe name for each text, in order. Names that differ at most in upper and lower case, which
    are one file on Windows and macOS, get -2, -3 and so on."""
    taken: set[str] = set()
    names = []
    for text in texts:
        base = name = safe_name(text)
        number = 1
        while name.casefold() in taken:
            number += 1
            end = f"-{number}"
            name = _shortened(base, LONGEST - len(end)) + end
        taken.add(name.casefold())
        names.append(name)
    return names


def _shortened(name: str, limit: int) -> str:
    """The longest start of at most `limit` bytes that does not end in a blank or a full stop."""
    return name.encode()[:limit].decode(errors="ignore").rstrip(" .")
