"""The steps that read the video: the face's square, the pictures, the sound."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np

from ..errors import VideoError
from ..images.pillow import resized
from ..records.voice import RATE, Waveform
from .crop import Crop, check_faces, choose_crop, given_crop
from .face import FaceFinder, quiet
from .options import FPS, MIN_SECONDS
from .pictures import Pixels, write_bytes, write_picture
from .step import Step
from .video import Facts, facts_of, frames, pixels_of, sound

EXAMINE_EVERY = 12  # frames; one of them is searched for the face
EXAMINE_MOST = 60  # frames at most; then the interval doubles
EXAMINE_WIDTH = 960  # pixels that are enough to see faces
FEW_PICTURES = 20.0  # a second, below which lips are not followed well
SMALL_SIDE = 0.6  # of the wanted size: a smaller square is blurred when magnified


def examine_video(step: Step) -> dict[str, Any]:
    """Count the frames, find the face and the square around it."""
    options = step.options
    facts = facts_of(step.video)
    crop = None if options.crop is None else given_crop(options.crop, facts.width, facts.height)
    boxes, every, count, repeated = [], EXAMINE_EVERY, 0, 0
    with quiet(step.side):
        finder = FaceFinder(options.landmark_model)
        for frame, same in frames(step.video, options.start, options.seconds):
            if count % every == 0:
                boxes.append(_boxes(finder, pixels_of(frame), crop))
                if len(boxes) > EXAMINE_MOST:
                    boxes, every = boxes[::2], 2 * every
                step.progress(count, 0)
            count += 1
            repeated += same
    if count < MIN_SECONDS * FPS:
        raise VideoError(
            f"{step.video} has {count / FPS:.2f} s from {options.start:g} s on; a dataset needs "
            f"{MIN_SECONDS:g} s at least, and a good one 3 to 5 minutes"
        )
    faces = check_faces(boxes, str(step.video))
    if crop is None:
        crop = choose_crop(faces, facts.width, facts.height)
    if crop.side < SMALL_SIDE * options.size:
        step.note(
            f"the face's square is {crop.side} pixels wide and magnified to {options.size}: the "
            "pictures are soft; a smaller --size trains faster and loses nothing"
        )
    _note_rate(step, facts, count, repeated)
    return {
        "frames": count,
        "crop": [crop.x, crop.y, crop.side],
        "video": [facts.width, facts.height],
        "rate": round(facts.rate, 3),
        "turned": facts.turned,
    }


def _boxes(finder: FaceFinder, pixels: Pixels, crop: Crop | None) -> Any:
    """(n, 4) faces in pixels of the video, or of its square if that is given."""
    if crop is not None:
        pixels = crop.cut(pixels, min(crop.side, EXAMINE_WIDTH))
    height, width = pixels.shape[:2]
    scale = min(1.0, EXAMINE_WIDTH / max(width, height))
    small = resized(pixels, round(width * scale), round(height * scale), "LANCZOS")
    return finder.find(np.ascontiguousarray(small)) / scale


def _note_rate(step: Step, facts: Facts, count: int, repeated: int) -> None:
    if facts.rate and facts.rate < FEW_PICTURES:
        step.note(
            f"the video has {facts.rate:g} pictures a second; {100 * repeated / count:.0f} % of "
            "the frames are repeated, and lips will follow the sound less well"
        )
    elif facts.rate and abs(facts.rate - FPS) > 0.01:
        step.note(f"{facts.rate:g} pictures a second were converted to {FPS}")
    if facts.turned:
        step.note(f"the pictures were turned upright ({facts.turned} degrees)")


def write_frames(step: Step, found: dict[str, Any], keep: bool) -> dict[str, Any]:
    """Write ori_imgs/. keep: existing pictures are valid and stay."""
    step.make("ori_imgs")
    crop, count = Crop(*found["crop"]), int(found["frames"])
    options = step.options
    index, cut = 0, None
    for frame, same in frames(step.video, options.start, options.seconds):
        path = step.image(index)
        if not (keep and path.exists()):
            if cut is None or not same:
                cut = crop.cut(pixels_of(frame), options.size)
            write_picture(path, cut, options.quality)
        elif not same:
            cut = None
        index += 1
        step.progress(index, count)
    if index != count:
        raise VideoError(f"{step.video} changed while it was read; run it again")
    return {}


def write_sound(step: Step, count: int) -> dict[str, Any]:
    """Write aud.wav: 16 kHz, mono, 16 bits, as long as the pictures."""
    step.progress(0, 1)
    waveform = sound(step.video, step.options.start, count)
    write_bytes(step.folder / "aud.wav", wav_bytes(waveform))
    step.progress(1, 1)
    peak = float(np.abs(waveform.samples).max())
    if peak > 0.999:
        step.note("the sound is clipped in places; record it a little quieter")
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
