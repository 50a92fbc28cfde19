"""The steps of the sound: the voice as it is in the video, and aud.wav in time with the lips."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np

from ..records.voice import RATE, Waveform
from .landmarks import MESHES
from .lip_features import VOICE, load_voice, remove_parts, voice_features
from .lip_sync import Offset, find_offset, mouth_measures
from .options import FPS
from .pictures import write_bytes
from .shots import load_shots
from .step import Step
from .video.container import film_of
from .video.sound import sound

SOUND = "aud.wav"  # of the dataset
# An offset is mended if the clip leaves little doubt, and if it is larger than those of clips in
# sync: they lie within 0.05 s, and viewers notice from 0.045 s (sound early) to 0.125 s (late) on
# (ITU-R BT.1359).
SURE, LARGE = 0.5, 0.08  # confidence; seconds
MOST_FRAMES = 7500  # five minutes, by which an offset is found


def write_sound(step: Step, count: int) -> dict[str, Any]:
    """Write voice.wav: 16 kHz, mono, 16 bits, as long as the pictures. Returns the facts

    audio_track: its number among the file's sound tracks, from 1. sound_holes_s: [[begin, end]] of
    the dataset's seconds without sound. loudness_db, noise_db: of loud and of quiet moments, as
    recorded, in dB of full scale."""
    step.progress(0, 1)
    found = sound(film_of(step.video), step.options.start, count, step.options.audio_track)
    write_bytes(step.side / VOICE, wav_bytes(found.voice))
    step.progress(1, 1)
    for note in found.notes:
        step.note(note)
    if float(np.abs(found.voice.samples).max()) > 0.999:
        step.note("the sound is clipped in places; record it a little quieter")
    return {
        "audio_track": found.track.number,
        "sound_holes_s": [[round(begin, 3), round(end, 3)] for begin, end in found.holes],
        "loudness_db": round(found.loudness, 1),
        "noise_db": round(found.noise, 1),
    }


def match_lips(step: Step, count: int, track: int, keep: bool) -> dict[str, Any]:
    """Find by how much voice.wav comes after the lips, and write aud.wav, moved by that if it is to
    be mended. track: the sound track that `write_sound` used. keep: finished parts of the features
    are valid and stay. Returns the facts

    sound_offset_ms: by which the video's sound comes after the lips, negative where it comes first;
    0 with no confidence. sound_offset_confidence: 0 to 1. sound_offset_correlation: of the lips and
    their prediction from the sound. sound_belongs: False if the sound explains too little of the
    lips' movements to be theirs, None if that is not certain. sound_offset_applied_ms: by which the
    sound was moved forward. peak: of the sound's samples, 1 is full scale."""
    options = step.options
    voice = load_voice(step)
    offset = _offset(step, count, keep)
    applied = _applied(offset, options.sound_offset)
    if applied:
        voice = sound(film_of(step.video), options.start + applied, count, track).voice
    write_bytes(step.folder / SOUND, wav_bytes(voice))
    remove_parts(step)
    step.progress(1, 1)
    note = _note(offset, applied, options.sound_offset)
    if note:
        step.note(note)
    known = offset.confidence > 0
    return {
        "sound_offset_ms": round(1000 * offset.seconds) if known else 0,
        "sound_offset_confidence": round(offset.confidence, 2),
        "sound_offset_correlation": round(offset.correlation, 3),
        "sound_belongs": offset.belongs,
        "sound_offset_applied_ms": round(1000 * applied),
        "peak": round(float(np.abs(voice.samples).max()), 4),
    }


def _offset(step: Step, count: int, keep: bool) -> Offset:
    """By the middle of the clip, if it is long."""
    first = max((count - MOST_FRAMES) // 2, 0)
    rows = slice(first, first + MOST_FRAMES)
    found = step.load(MESHES)
    measures = mouth_measures(found["meshes"][rows].astype(np.float64))
    begin, stop = (frame * RATE // FPS for frame in (first, first + len(measures)))
    features = voice_features(step, begin, stop, keep)
    return find_offset(measures, load_shots(step).used[rows], features)


def _applied(offset: Offset, wanted: float | None) -> float:
    """Seconds by which the sound is moved. wanted: milliseconds, None to decide here."""
    if wanted is not None:
        return wanted / 1000
    mended = offset.confidence >= SURE and abs(offset.seconds) > LARGE
    return round(offset.seconds, 3) if mended else 0.0


def _note(offset: Offset, applied: float, wanted: float | None) -> str:
    if offset.belongs is False:
        return (
            "the sound does not belong to these lips, or they are hidden: it explains less of "
            "their movements than a person's own sound does; look at the video"
        )
    if offset.confidence <= 0 or abs(offset.seconds) <= LARGE:
        return ""
    milliseconds = round(1000 * offset.seconds)
    order = "after" if milliseconds > 0 else "before"
    found = (
        f"the sound comes {abs(milliseconds)} ms {order} the lips (confidence "
        f"{offset.confidence:.2f})"
    )
    if applied and wanted is None:
        return f"{found} and was moved to them; --sound-offset 0 leaves it where it was"
    if wanted is None:
        return f"{found}; if that is true, --sound-offset {milliseconds} mends it"
    return f"{found}; it was moved by {wanted:g} ms, as --sound-offset says"


def wav_bytes(waveform: Waveform) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        scaled = np.clip(np.rint(waveform.samples * 32768), -32768, 32767)
        file.writeframes(scaled.astype("<i2").tobytes())
    return data.getvalue()
