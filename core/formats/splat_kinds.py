"""The files of still heads by their suffixes, and others that are recognised, so that the refusal
can name them."""

from __future__ import annotations

from .stand_ins import stand_in

SUFFIXES = (".ply", ".splat", ".ksplat", ".spz", ".sog")
PICTURES = (".sog",)  # Pillow reads them, which Blender lacks
NEXT = "convert it to .ply, for example with SuperSplat or splat-transform"


def not_ply(start: bytes) -> str:
    """What a file with these first bytes is, and what to do."""
    kind = ""
    if start[:2] == b"\x1f\x8b" or start[:4] == b"NGSP":
        kind = "an .spz file"
    elif start[:2] == b"PK" and b"meta.json" in start:
        kind = "a .sog file"
    elif start[:4] == b"glTF":
        kind = "a glTF file"
    if kind:
        return f"it is {kind}; {NEXT}"
    return f"it {stand_in(start) or 'is not a .ply file'}"
