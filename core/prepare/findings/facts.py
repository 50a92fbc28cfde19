"""The values that the rules judge: what the steps found, and what is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...audio.wav import load_wav
from ...records.arrays import Float64
from ..cuts import changes
from ..landmarks import load_signals
from ..options import FPS
from ..pictures import Pixels
from ..shots import Shots, reasons_text
from ..step import Files
from ..video.container import film_of
from ..voice import SOUND
from .film import bits_per_picture
from .light import Light, light_of
from .movement import movement_of
from .rule import Facts
from .sharpness import edge_blur
from .steps import steps_of

FULL_SCALE = 0.999  # of the sound's samples; from it on they are clipped
BLURRED = 1.5  # times the blur of the clip's sharper frames: the frame is blurred by motion
SHARPER = 25  # percentile of the blurs that is the one of the sharper frames


@dataclass(frozen=True)
class Look:
    """What is measured in a picture; None if it does not show the whole face."""

    light: Light | None
    blur: float | None


def look_at(pixels: Pixels, face: Float64) -> Look:
    """Of a picture (H, H, 3) with a face mesh (478, 2 or more)."""
    return Look(light_of(pixels, face), edge_blur(pixels, face))


def facts_of(
    files: Files, found: Mapping[str, Any], shots: Shots, meshes: Float64, looks: Sequence[Look]
) -> Facts:
    """found: what the steps before found. meshes (F, 478, 3). looks: of some of the used frames."""
    size, side = files.options.size, float(found["crop"][2])
    movement = movement_of(meshes[shots.used])
    used = int(shots.used.sum())
    bits = bits_per_picture(film_of(files.video))
    part = side * side / max(found["video"][0] * found["video"][1], 1)
    return {
        **found,
        "face": movement.face * side / size,
        "view": movement.view,
        "turns": movement.turns,
        "far": movement.far,
        "mouth": movement.mouth,
        **_of_looks(looks),
        "bits": None if bits is None else bits * part / (size * size),
        **_of_sound(files, found, len(shots.reason)),
        "left_out_share": 100 * (1 - used / len(shots.reason)),
        "left_out_text": _left_out(found),
        "usable": used / FPS,
        "rate": found.get("rate") or None,
        **_of_steps(load_signals(files).small, shots.used),
    }


def _of_steps(small: NDArray[np.uint8], used: NDArray[np.bool_]) -> dict[str, float | str]:
    """Of the steps between used frames."""
    both = used[1:] & used[:-1]
    steps = steps_of(changes(small, np.arange(len(small)))[both])
    return {
        "repeated": steps.repeated,
        "longer_step": steps.longer,
        "interval_text": f": one after every {steps.interval} is missing" if steps.interval else "",
    }


def _of_looks(looks: Sequence[Look]) -> dict[str, float | None]:
    lights = [look.light for look in looks if look.light is not None]
    blurs = np.array([look.blur for look in looks if look.blur is not None])
    values: dict[str, float | None] = dict.fromkeys(
        ("brightness", "contrast", "clipped", "uneven", "flicker", "blur", "blurred")
    )
    if lights:
        for name in ("brightness", "contrast", "clipped", "uneven"):
            values[name] = float(np.median([getattr(light, name) for light in lights]))
        low, high = np.percentile([light.brightness for light in lights], [5, 95])
        values["flicker"] = 100 * float(high - low) / max(float(values["brightness"] or 0), 1.0)
    if len(blurs):
        values["blur"] = float(np.median(blurs))
        sharp = float(np.percentile(blurs, SHARPER))
        values["blurred"] = 100 * float((blurs > BLURRED * sharp).mean())
    return values


def _of_sound(files: Files, found: Mapping[str, Any], count: int) -> dict[str, Any]:
    voice = load_wav(files.folder / SOUND)
    samples = np.zeros(1, np.float32) if voice is None else voice.samples
    holes = sum(end - begin for begin, end in found.get("sound_holes_s", []))
    offset, moved = found.get("sound_offset_ms", 0), found.get("sound_offset_applied_ms", 0)
    known = found.get("sound_offset_confidence", 0) > 0
    belongs = found.get("sound_belongs")
    return {
        "clear": found["loudness_db"] - found["noise_db"] if "loudness_db" in found else None,
        "clipped_sound": 100 * float((np.abs(samples) >= FULL_SCALE).mean()),
        "holes": 100 * holes * FPS / count,
        "apart": abs(offset - moved) if known else None,
        "moved_text": f", after it was moved by {moved} ms" if moved else "",
        "belongs": "unknown" if belongs is None else ("yes" if belongs else "no"),
    }


def _left_out(found: Mapping[str, Any]) -> str:
    reasons = reasons_text(found.get("left_out", {}))
    return f": {reasons}" if reasons else ""
