"""The text that a picture file holds next to its pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Notes:
    """xmp: an XMP packet (xmp.py); empty for none."""

    xmp: str = ""


NO_NOTES = Notes()
