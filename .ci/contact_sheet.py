"""`contact_sheet.py FRAMES SHEET.png`: evenly spaced frames on one picture, with their numbers."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

COLUMNS, ROWS, SIDE = 8, 4, 192


def main() -> int:
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    frames = sorted(folder.glob("*.png"))
    count = min(COLUMNS * ROWS, len(frames))
    sheet = Image.new("RGB", (COLUMNS * SIDE, -(-count // COLUMNS) * SIDE))
    for place in range(count):
        path = frames[place * len(frames) // count]
        with Image.open(path) as image:
            tile = image.convert("RGB")
        tile.thumbnail((SIDE, SIDE))
        ImageDraw.Draw(tile).text((4, 4), path.stem, fill="black")
        sheet.paste(tile, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
    sheet.save(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
