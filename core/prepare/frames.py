"""The steps that need the video itself: where the face is, the pictures, the sound."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np

from ..errors import VideoError
from ..records.voice import RATE, Waveform
from .crop import Crop, check_faces, choose_crop, given_crop
from .face import FaceFinder, quiet
from .options import FPS, MIN_SECONDS
from .pictures import Pixels, resized, write_bytes, write_picture
from .step import Work
from .video import Facts, frames, look, pixels_of, sound

LOOK_EVERY = 12  # frames; one of them is looked at
LOOK_MOST = 60  # looked-at frames; then fewer and fewer
LOOK_WIDTH = 960  # pixels that are enough to see faces
FEW_PICTURES = 20.0  # a second, below which lips are not followed well
SMALL_SIDE = 0.6  # of the wanted size: a square that has to be magnified more is blurred


def look_at(work: Work) -> dict[str, Any]:
    """Count the frames, find the face and the square around it."""
    options = work.options
    facts = look(work.video)
    crop = None if options.crop is None else given_crop(options.crop, facts.width, facts.height)
    boxes, every, count, repeated = [], LOOK_EVERY, 0, 0
    with quiet(work.side):
        finder = FaceFinder(options.landmark_model)
        for frame, same in frames(work.video, options.start, options.seconds):
            if count % every == 0:
                boxes.append(_boxes(finder, pixels_of(frame), crop))
                if len(boxes) > LOOK_MOST:
                    boxes, every = boxes[::2], 2 * every
                work.told("look", count, 0)
            count += 1
            repeated += same
    if count < MIN_SECONDS * FPS:
        raise VideoError(
            f"{work.video} holds {count / FPS:.2f} s from {options.start:g} s on; a dataset needs "
            f"{MIN_SECONDS:g} s at least, and a good one 3 to 5 minutes"
        )
    faces = check_faces(boxes, str(work.video))
    if crop is None:
        crop = choose_crop(faces, facts.width, facts.height)
    if crop.side < SMALL_SIDE * options.size:
        work.note(
            f"the face's square is {crop.side} pixels wide and magnified to {options.size}: the "
            "pictures are soft; a smaller --size trains faster and loses nothing"
        )
    _note_rate(work, facts, count, repeated)
    return {
        "frames": count,
        "crop": [crop.x, crop.y, crop.side],
        "video": [facts.width, facts.height],
        "rate": round(facts.rate, 3),
        "turned": facts.turned,
    }


def _boxes(finder: FaceFinder, pixels: Pixels, crop: Crop | None) -> Any:
    """(n, 4) faces in pixels of the video, or of its square where that is given."""
    if crop is not None:
        pixels = crop.cut(pixels, min(crop.side, LOOK_WIDTH))
    height, width = pixels.shape[:2]
    scale = min(1.0, LOOK_WIDTH / max(width, height))
    small = resized(pixels, round(width * scale), round(height * scale))
    return finder.find(np.ascontiguousarray(small)) / scale


def _note_rate(work: Work, facts: Facts, count: int, repeated: int) -> None:
    if facts.rate and facts.rate < FEW_PICTURES:
        work.note(
            f"the video has {facts.rate:g} pictures a second; {100 * repeated / count:.0f} % of "
            "the frames are repeated, and lips will follow the sound less well"
        )
    elif facts.rate and abs(facts.rate - FPS) > 0.01:
        work.note(f"{facts.rate:g} pictures a second were brought to {FPS}")
    if facts.turned:
        work.note(f"the pictures were turned upright ({facts.turned} degrees)")


def write_frames(work: Work, found: dict[str, Any], keep: bool) -> dict[str, Any]:
    """ori_imgs/. keep: pictures that are there are right and stay."""
    work.make("ori_imgs")
    crop, count = Crop(*found["crop"]), int(found["frames"])
    options = work.options
    index, cut = 0, None
    for frame, same in frames(work.video, options.start, options.seconds):
        path = work.image(index)
        if not (keep and path.exists()):
            if cut is None or not same:
                cut = crop.cut(pixels_of(frame), options.size)
            write_picture(path, cut, options.quality)
        elif not same:
            cut = None
        index += 1
        work.told("frames", index, count)
    if index != count:
        raise VideoError(f"{work.video} changed while it was read; run it again")
    return {}


def write_sound(work: Work, count: int) -> dict[str, Any]:
    """aud.wav: 16 kHz, mono, 16 bits, as long as the pictures."""
    work.told("sound", 0, 1)
    waveform = sound(work.video, work.options.start, count)
    write_bytes(work.folder / "aud.wav", wav_bytes(waveform))
    work.told("sound", 1, 1)
    peak = float(np.abs(waveform.samples).max())
    if peak > 0.999:
        work.note("the sound is clipped in places; record it a little quieter")
    return {"peak": round(peak, 4)}


def wav_bytes(waveform: Waveform) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        scaled = np.clip(np.rint(waveform.samples * 32768), -32768, 32767)
        file.writeframes(scaled.astype("<i2").tobytes())
    return data.getvalue()
