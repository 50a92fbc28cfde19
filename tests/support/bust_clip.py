"""The small talking clip with a neck and a striped shirt that sways below the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.dataset.masks import NECK, REST, TORSO, head_mask
from tests.support.talking_clip import FRAMES, SIDE
from tests.support.training_runs import make_talking_clip

SKIN, SHIRT, STRIPE = (190, 140, 120), (40, 60, 120), (200, 200, 60)
JAW, COLLAR, HALF_NECK = 48, 54, 7  # rows; pixels


def sway(frame: int) -> int:
    """Pixels by which the shirt lies to the right."""
    return round(3 * np.sin(frame / 8))


def make_bust_clip(folder: Path) -> Path:
    clip = make_talking_clip(folder)
    for i in range(FRAMES):
        picture = np.array(Image.open(clip / f"ori_imgs/{i}.png").convert("RGB"))
        mask = np.array(Image.open(clip / f"parsing/{i}.png").convert("RGB"))
        below = head_mask(mask)
        below[:JAW] = False
        picture[below], mask[below] = np.array(Image.open(clip / "bc.jpg"))[below], REST
        head = head_mask(mask)
        for where, colour, label in (
            (neck(head), SKIN, NECK),
            (shirt(sway(i)), SHIRT, TORSO),
            (shirt(sway(i)) & stripes(sway(i)), STRIPE, TORSO),
        ):
            picture[where & ~head] = colour
            mask[where & ~head] = label
        Image.fromarray(picture).save(clip / f"ori_imgs/{i}.png")
        Image.fromarray(mask).save(clip / f"parsing/{i}.png")
    return clip


def neck(head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) below the head's middle, which it follows."""
    middle = int(np.flatnonzero(head.any(0)).mean())
    out = np.zeros_like(head)
    out[SIDE // 2 : COLLAR + 3, middle - HALF_NECK : middle + HALF_NECK] = True
    return out


def shirt(shift: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.abs(x - 31.5 - shift) < 10 + 1.2 * (y - COLLAR), np.bool_) & (y >= COLLAR)


def stripes(shift: int) -> NDArray[np.bool_]:
    return np.broadcast_to((np.arange(SIDE) - shift) % 8 < 3, (SIDE, SIDE))
