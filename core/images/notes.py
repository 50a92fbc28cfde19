"""The text that a picture file holds next to its pixels."""

from __future__ import annotations

from dataclasses import dataclass

AVATAR, KEY = "egstalker:avatar", "egstalker:key"  # names of the text chunks or attributes


@dataclass(frozen=True)
class Notes:
    """xmp: an XMP packet (xmp.py). avatar: the content hash of the avatar. key: what the picture
    was made from (bake/keys.py). Empty for none."""

    xmp: str = ""
    avatar: str = ""
    key: str = ""

    @property
    def texts(self) -> dict[str, str]:
        """Avatar and key by the names under which files hold them."""
        return {name: text for name, text in ((AVATAR, self.avatar), (KEY, self.key)) if text}


NO_NOTES = Notes()
