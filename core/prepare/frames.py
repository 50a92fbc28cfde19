"""The steps that read the video's pictures: the face's square, the frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import VideoError
from ..records.arrays import Float64
from ..system.threads import in_order
from .crop import Crop, check_faces, choose_crop, given_crop, usual_framing
from .examined import Examined
from .face import FaceFinder, quiet
from .options import FPS, MAX_SECONDS, MIN_SECONDS
from .pictures import Pixels, write_picture
from .step import Step
from .video.clock import frames
from .video.container import Film, film_of
from .video.picture import Converter

EXAMINE_WIDTH = 960  # pixels that are enough to see faces
FEW_PICTURES = 20.0  # a second, below which lips are not followed well
SMALL_SIDE = 0.6  # of the wanted size: a smaller square is blurred when magnified


def examine_video(step: Step, keep: bool) -> dict[str, Any]:
    """Count the frames, find the face and the square around it. keep: what an earlier run saw is
    valid."""
    options = step.options
    film = film_of(step.video)
    _check_length(step, film)
    step.progress(0, 0)
    crop = None if options.crop is None else given_crop(options.crop, film.width, film.height)
    search, shrunk, corner = _search(film, crop)
    expected = _expected_frames(step, film)
    seen = Examined.begun(step, keep)
    with quiet(step.side):
        finder = FaceFinder(options.landmark_model)
        for frame, same in frames(film, options.start, options.seconds, seen.count):
            if not same:
                seen.save_now_and_then(step)
                if not film.interlaced:
                    seen.combs.add(seen.count, frame)
            if seen.searches:
                step.progress(seen.count, max(expected, seen.count))
                seen.boxes.append(finder.find(search(frame)) / shrunk + corner)
            seen.add(same)
    count = seen.count
    if count < MIN_SECONDS * FPS:
        raise VideoError(
            f"{step.video} has {count / FPS:.2f} s from {options.start:g} s on; a dataset needs "
            f"{MIN_SECONDS:g} s at least, and a good one 3 to 5 minutes"
        )
    step.progress(count, count)
    faces = check_faces(seen.boxes, str(step.video))
    if crop is None:
        crop = choose_crop(usual_framing(faces), film.width, film.height)
    if crop.side < SMALL_SIDE * options.size:
        step.note(
            f"the face's square is {crop.side} pixels wide and magnified to {options.size}: the "
            "pictures are soft; a smaller --size trains faster and loses nothing"
        )
    combed = seen.combs.found
    for note in (*film.notes, *_notes(film, count, seen.repeated, combed)):
        step.note(note)
    seen.remove(step)
    return {
        "frames": count,
        "crop": [crop.x, crop.y, crop.side],
        "video": [film.width, film.height],
        "rate": round(film.rate, 3),
        "turned": film.orientation.turned,
        "mirrored": film.orientation.mirrored,
        "pixel_aspect": round(film.ratio, 4),
        "interlaced": film.interlaced or combed,
        "combed": combed,
        "colour": film.colour.name,
    }


def _check_length(step: Step, film: Film) -> None:
    """VideoError at once where the header tells that the part is too long."""
    if step.options.seconds is None and film.seconds - step.options.start > MAX_SECONDS + 1:
        raise VideoError(
            f"{step.video} is longer than {MAX_SECONDS / 60:.0f} minutes; take a part with --start "
            "and --seconds"
        )


def _expected_frames(step: Step, film: Film) -> int:
    """By the header; 0 if it does not say."""
    rest = max(film.seconds - step.options.start, 0.0)
    seconds = rest if step.options.seconds is None else min(step.options.seconds, rest)
    return round(seconds * FPS)


def _search(film: Film, crop: Crop | None) -> tuple[Converter, float, Float64]:
    """Makes the pictures in which the face is searched: the whole film's, or its given square,
    not larger than needed. Also their scale, and the (4,) place of their corner in the video."""
    x, y, width, height = 0, 0, film.width, film.height
    if crop is not None:
        x, y, width, height = crop.x, crop.y, crop.side, crop.side
    scale = min(1.0, EXAMINE_WIDTH / max(width, height))
    part = (x / film.width, y / film.height, (x + width) / film.width, (y + height) / film.height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return Converter(film, *size, part), scale, np.array([x, y, x, y], np.float64)


def _notes(film: Film, count: int, repeated: int, combed: bool) -> list[str]:
    """What of the pictures was changed or is poor."""
    notes = []
    if film.rate and film.rate < FEW_PICTURES:
        notes.append(
            f"the video has {film.rate:g} pictures a second; {100 * repeated / count:.0f} % of "
            "the frames are repeated, and lips will follow the sound less well"
        )
    elif film.rate and abs(film.rate - FPS) > 0.01:
        notes.append(f"{film.rate:g} pictures a second were converted to {FPS}")
    if film.orientation.turned:
        notes.append(f"the pictures were turned upright ({film.orientation.turned} degrees)")
    if film.orientation.mirrored:
        notes.append("the pictures were mirrored, as the file asks")
    if abs(film.ratio - 1) > 0.001:
        notes.append(
            f"the video's pixels are not square ({film.ratio:.4g} wide): the pictures were scaled "
            f"to {film.width}x{film.height}"
        )
    if film.interlaced:
        notes.append("the pictures are interlaced and were deinterlaced")
    if combed:
        notes.append(
            "the pictures are interlaced, although the file does not say so, and were deinterlaced"
        )
    if film.colour.name:
        notes.append(f"the colours ({film.colour.name}) were converted to BT.709")
    return notes


def write_frames(step: Step, facts: dict[str, Any], keep: bool) -> dict[str, Any]:
    """Write ori_imgs/. facts: of `examine_video`. keep: existing pictures are valid and stay."""
    step.make("ori_imgs")
    film = film_of(step.video)
    crop, count = Crop(*facts["crop"]), int(facts["frames"])
    options = step.options
    convert = Converter(film, options.size, options.size, crop.part(film.width, film.height))

    rows = range(count) if keep else ()
    first = next((row for row in rows if not step.image(row).exists()), len(rows))

    def cut() -> Iterator[tuple[Path, Pixels | None]]:
        pixels = None
        found = frames(film, options.start, options.seconds, first, facts["combed"])
        for index, (frame, same) in enumerate(found, first):
            path = step.image(index)
            if not same:
                pixels = None
            wanted = not (keep and path.exists())
            if wanted and pixels is None:
                pixels = convert(frame)
            yield path, pixels if wanted else None

    def write(job: tuple[Path, Pixels | None]) -> None:
        path, pixels = job
        if pixels is not None:
            write_picture(path, pixels, options.quality)

    done = first
    for done, _ in enumerate(
        in_order(write, cut(), step.cores), first + 1
    ):  # encoding frees the lock
        step.progress(done, count)
    if done != count:
        raise VideoError(f"{step.video} changed while it was read; run it again")
    return {}
