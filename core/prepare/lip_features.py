"""The phonetic features of the voice, in parts on all cores; finished parts are kept."""

from __future__ import annotations

import shutil

import numpy as np

from ..audio.phonetic import CORE, pieces
from ..audio.phonetic_network import STEP as SAMPLES
from ..audio.wav import load_wav
from ..errors import OutputError
from ..records.arrays import Float32
from ..records.voice import Samples, Waveform
from ..system.steps import finished
from .step import Files, Step, all_there

VOICE = "voice.wav"  # in the side folder
PARTS = "lips"  # folder of the finished parts, while the step runs
# Features are made in windows of CORE steps; a part needs one or two windows beside its own.
PART = 5 * CORE  # steps: 40 s


def load_voice(files: Files) -> Waveform:
    """voice.wav, 16 kHz. OutputError if it is damaged."""
    voice = load_wav(files.side / VOICE)
    if voice is None:
        raise OutputError(f"{files.side / VOICE} is damaged; remove it and run it again")
    return voice


def voice_features(step: Step, first: int, stop: int, keep: bool) -> Float32:
    """`pieces` of the samples from `first` to `stop` of voice.wav. keep: finished parts are valid
    and stay."""
    if not keep:
        shutil.rmtree(step.side / PARTS, ignore_errors=True)
    step.make(f"{step.side.name}/{PARTS}")
    count = 1 + len(load_voice(step).samples[first:stop]) // SAMPLES
    parts = [range(k, min(k + PART, count)) for k in range(0, count, PART)]
    missing = [(first, stop, part) for part in parts if not all_there([step.side / _name(part)])]
    kept = count - sum(len(part) for _, _, part in missing)
    for _ in step.spread(_make_part, missing, _with_voice, span=(kept, count, count)):
        pass
    return np.concatenate([step.load(_name(part))["features"] for part in parts])


def remove_parts(files: Files) -> None:
    shutil.rmtree(files.side / PARTS, ignore_errors=True)


def _name(part: range) -> str:
    return f"{PARTS}/{part.start}.npz"


def _with_voice(files: Files) -> tuple[Files, Samples]:
    return files, load_voice(files).samples


def _make_part(tool: tuple[Files, Samples], item: tuple[int, int, range]) -> None:
    files, samples = tool
    first, stop, part = item
    files.save(_name(part), features=finished(pieces(samples[first:stop], part)))
