"""Speech whose phonemes are known to the sample: espeak-ng speaks the passages of script.tsv.

Each passage then gets its own loudness, brightness and noise. The noise's random streams are fixed,
so the same espeak-ng gives the same samples."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .classes import Phoneme
from .errors import FitError

Float32 = NDArray[np.float32]

SCRIPT = Path(__file__).with_name("script.tsv")
RATE = 16000  # Hz
LONGEST = 29 * RATE  # samples of a passage
MADE_WITH = "1.51"  # version of espeak-ng behind the shipped file

# Names and numbers of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _BUFFER_MS, _PHONEME_EVENTS = 2, 200, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_END_OF_LIST, _PHONEME = 0, 7
_UTF8, _BY_CHARACTER = 1, 1


class _Id(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Passage:
    """One utterance. seed: of the stream, whose passages draw noise from one generator in their
    order. rate: words a minute. pitch, pitch_range: 0..100. echo: share of the previous sample that
    is subtracted. level: dB of the loudest sample, full scale is 0. colour: of the noise, 0 white
    to 1 dull. distance: dB from the speech down to the noise. Both are None if there is none."""

    seed: int
    voice: str
    rate: int
    pitch: int
    pitch_range: int
    echo: float
    level: float
    colour: float | None
    distance: float | None
    words: str


HELLO = Passage(0, "en-us", 165, 38, 50, 0, 0, None, None, "hello")


def read_script(path: Path = SCRIPT) -> list[Passage]:
    passages = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        seed, voice, *numbers, words = line.split("\t")
        rate, pitch, pitch_range = map(int, numbers[:3])
        echo, level = map(float, numbers[3:5])
        colour, distance = (None if value == "-" else float(value) for value in numbers[5:])
        settings = (rate, pitch, pitch_range, echo, level, colour, distance)
        passages.append(Passage(int(seed), voice, *settings, words))
    return passages


class Speaker:
    """espeak-ng's library, at most once in a process. FitError if it is missing."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        try:
            self._library: Any = ctypes.CDLL(name or "libespeak-ng.so.1")
        except OSError:
            raise FitError(
                "no espeak-ng library; install it: sudo apt-get install espeak-ng"
            ) from None
        self.rate = int(
            self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, None, _PHONEME_EVENTS)
        )
        if self.rate <= 0:
            raise FitError("espeak-ng does not start; reinstall espeak-ng-data")
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.version = self._library.espeak_Info(None).decode().split()[0]
        self._blocks: list[NDArray[np.int16]] = []
        self._phonemes: list[Phoneme] = []
        self._callback = _Callback(self._receive)  # kept: the library has no reference to it
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        place = 0
        while events[place].type != _END_OF_LIST:
            event = events[place]
            if event.type == _PHONEME:
                name = event.id.string.decode("utf-8", "replace")
                self._phonemes.append(Phoneme(event.sample / self.rate, name))
            place += 1
        return 0

    def say(self, passage: Passage) -> tuple[Float32, list[Phoneme]]:
        """(T,) float32 samples at `self.rate`, and the phonemes."""
        library = self._library
        if library.espeak_SetVoiceByName(passage.voice.encode()) != 0:
            raise FitError(f"espeak-ng has no voice {passage.voice}; reinstall espeak-ng-data")
        for parameter, value in (
            (_RATE, passage.rate),
            (_PITCH, passage.pitch),
            (_RANGE, passage.pitch_range),
        ):
            library.espeak_SetParameter(parameter, value, 0)
        self._blocks.clear()
        self._phonemes.clear()
        text = passage.words.encode()
        library.espeak_Synth(text, len(text) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        if not self._blocks:
            raise FitError(f"espeak-ng says nothing as {passage.voice}; reinstall espeak-ng-data")
        samples: Float32 = np.concatenate(self._blocks).astype(np.float32) / np.float32(32768)
        return samples, list(self._phonemes)


def roughen(samples: NDArray[Any], passage: Passage, random: np.random.Generator) -> Float32:
    """(T,) float32: the passage's colour, loudness and noise."""
    from scipy.signal import lfilter

    if passage.echo:
        samples = lfilter([1, -passage.echo], [1], samples)
    samples = samples / np.abs(samples).max() * 10 ** (passage.level / 20)
    if passage.colour is not None and passage.distance is not None:
        noise = lfilter([1], [1, -passage.colour], random.standard_normal(len(samples)))
        loudness = np.sqrt((samples**2).mean()) / noise.std()
        samples = samples + noise * (loudness * 10 ** (-passage.distance / 20))
    return samples.astype(np.float32)


def speak(passages: Sequence[Passage]) -> list[tuple[Float32, list[Phoneme]]]:
    """(T,) float32 samples at 16 kHz and the phonemes of each passage of one stream.

    Call it once in a process: espeak-ng's random numbers, for a voice's flutter and breath, start
    with the process and continue from passage to passage. Every voice says hello first, as when the
    shipped file was made."""
    from scipy.signal import resample_poly

    speaker = Speaker()
    for voice in dict.fromkeys(passage.voice for passage in passages):
        speaker.say(replace(HELLO, voice=voice))
    common = math.gcd(RATE, speaker.rate)
    random = np.random.default_rng(passages[0].seed)
    result = []
    for passage in passages:
        samples, phonemes = speaker.say(passage)
        samples = resample_poly(samples, RATE // common, speaker.rate // common).astype(np.float32)
        result.append((roughen(samples, passage, random)[:LONGEST], phonemes))
    return result


def speak_all(passages: Sequence[Passage]) -> Iterator[tuple[Float32, list[Phoneme]]]:
    """Like `speak`, with a process for each stream."""
    for seed in dict.fromkeys(passage.seed for passage in passages):
        stream = [passage for passage in passages if passage.seed == seed]
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield from pool.submit(speak, stream).result()
