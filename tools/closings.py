"""`python -m tools.closings HEAD.egs`: how the lips of an avatar follow other languages.

espeak-ng speaks two sentences of each; its phoneme times say when m, b and p close the lips and
when an open vowel parts them. The lip gap is the first number of the avatar's mouth
(docs/formats.md), so no picture is drawn."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.audio.features import track_from_waveform
from core.avatar.file import load_avatar
from core.errors import EgsError, InputError
from core.evaluation.phonemes import CLOSED, Phoneme, closures
from core.records.arrays import Float32, Float64
from core.records.feature_spec import FeatureSpec
from core.records.timeline import ROW_RATE
from core.records.voice import Waveform

from .fit_phonetic.errors import FitError
from .fit_phonetic.speech import HELLO, Passage, speak_all

TEXTS = {
    "en-us": "Bob put a map by the lamp. My mother bought a big apple pie, and papa came back.",
    "de": "Meine Mutter backt am Abend einen Apfelkuchen. Bitte bring Papa den Ball und die Lampe.",
    "fr": "Ma maman prépare un bon repas pour papa. Paul porte une belle pomme à la banque.",
    "ja": "ママはパンとバナナをたべました。 パパはまいにちまちのほんやまであるきます。",
    "cmn": "妈妈买了八个苹果。 爸爸怕跑步，明天不忙，把报纸搬到门边。",
    "ko": "엄마는 밥을 먹고 바나나를 봅니다. 아빠는 매일 마을 빵집에 갑니다.",
    "hi": "माँ ने बाज़ार से आम और पपीता मंगाया। पापा बाबा के पास बड़ा मकान बना रहे हैं।",
    "ar": "ماما تطبخ اللحم في البيت. بابا يحب الماء البارد ومعلم المدرسة يبدأ الكلام.",
}


def gap_of(samples: Float32, spec: FeatureSpec) -> Float64:
    """(F,) the lip gap that an avatar with these features shows for the sound, in deviations of its
    film."""
    track = track_from_waveform(Waveform(samples), spec)
    inner = slice(track.margin, track.margin + len(track))
    return track.windows[inner, 0, 0].astype(np.float64)


def opening(phonemes: Sequence[Phoneme], gap: Float64) -> float:
    """How much wider the gap is in the middle of open vowels (a) than at m, b and p, deviations."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for phoneme in phonemes:
        name = phoneme.name.strip("_:0123456789").lower()
        row = math.floor((phoneme.start + phoneme.end) / 2 * ROW_RATE)
        if row < len(gap) and (name in CLOSED or name.startswith("a")):
            found[name in CLOSED].append(float(gap[row]))
    return float(np.mean(found[False]) - np.mean(found[True]))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.closings", description=__doc__)
    parser.add_argument("avatar", type=Path, help="an avatar with numbers of the mouth")
    args = parser.parse_args(argv)
    try:
        spec = mouth_features(args.avatar)
        print("| language | m, b, p | shut | opening, deviations |\n|---|---|---|---|")
        passages = [passage(n, voice, text) for n, (voice, text) in enumerate(TEXTS.items())]
        for said, (samples, events) in zip(passages, speak_all(passages), strict=True):
            gap = gap_of(samples, spec)
            starts = [event.start for event in events]
            ends = [*starts[1:], len(samples) / 16000]
            spoken = [
                Phoneme(start, end, event.name)
                for start, end, event in zip(starts, ends, events, strict=True)
            ]
            shut = closures(spoken, 0, tuple(range(len(gap))), gap)
            wider = opening(spoken, gap)
            print(f"| {said.voice} | {shut.count} | {shut.share:.0%} | {wider:.2f} |")
    except (EgsError, FitError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def mouth_features(avatar: Path) -> FeatureSpec:
    """What an avatar hears. InputError if it has no numbers of the mouth."""
    spec = load_avatar(avatar).features
    if spec is None or spec.mouth is None:
        raise InputError(f"{avatar} has no numbers of the mouth")
    return spec


def passage(number: int, voice: str, words: str) -> Passage:
    return replace(HELLO, seed=number, voice=voice, words=words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
