"""`python -m tools.fit_phonetic HAMA OUT`: makes core/audio/assets/phonetic.safetensors again.

HAMA is hama's wheel (pip download --no-deps hama==1.7.0) or the asr_waveform.hama in it. The
network's tensors are copied bit for bit; the readout is fitted to speech of espeak-ng 1.51
(a minute of one core, 0.7 GB) and then compared with the shipped one. Needs the environment of
`make setup`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.audio import phonetic_network
from core.audio.phonetic import AROUND
from core.audio.phonetic_weights import PATH, PhoneticWeights
from core.errors import OutputError
from core.formats.safetensors import read_tensors, write_tensors

from . import fit, pack, speech
from .classes import CLASSES, labels
from .errors import FitError

Array = NDArray[Any]


def say(text: str) -> None:
    print(text, flush=True)


SAY_EVERY = 20  # passages
SAME = 0.05  # of the deviation; 0.014 on the machine that made it, more on other processors
READOUT = ("readout.weight", "readout.bias")


def fit_readout(network: Mapping[str, Array]) -> dict[str, Array]:
    """The two tensors of the readout, from everything that the script says."""
    tensors = {name: array.astype(np.float32) for name, array in network.items()}
    weights = PhoneticWeights(tensors, CLASSES, "")
    passages = speech.read_script()
    inputs: list[Array] = []
    targets: list[NDArray[np.float32]] = []
    seconds = 0.0
    for samples, phonemes in speech.speak_all(passages):
        layers = phonetic_network.hidden_layers(phonetic_network.bands(samples, weights), weights)
        inputs.append(layers.reshape(len(layers), -1).astype(np.float16))  # 160 MB in all
        targets.append(labels(phonemes, len(layers)))
        seconds += len(samples) / speech.RATE
        if len(inputs) % SAY_EVERY == 0 or len(inputs) == len(passages):
            say(f"    {len(inputs)} of {len(passages)} passages, {seconds / 60:.1f} minutes")
    say(f"    fitting {sum(map(len, inputs))} steps")
    weight, bias = fit.ridge(inputs, targets, AROUND)
    return {"readout.weight": weight, "readout.bias": bias}


def compare(made: Mapping[str, Array]) -> bool:
    """True if the tensors match the shipped ones: the network's exactly, the readout within
    SAME."""
    old, _, sha256 = read_tensors(PATH)
    names = {name for name in {*old, *made} if name not in READOUT}
    other = sorted(
        name
        for name in names
        if name not in old or name not in made or not np.array_equal(old[name], made[name])
    )
    say(f"shipped file {sha256[:12]}; tensors of the network that differ: {', '.join(other) or 0}")
    within = not other
    for name in READOUT:
        apart = float(np.abs(made[name] - old[name]).max() / old[name].std())
        say(f"{name}: at most {apart:.2g} of its deviation apart (limit {SAME:g})")
        within = within and apart <= SAME
    return within


def make(source: Path, target: Path) -> bool:
    try:
        import scipy.signal  # noqa: F401  # speech needs it, minutes later
    except ImportError:
        raise FitError("scipy is missing; use the Python of `make setup`") from None
    network = pack.rename(pack.parse(pack.read_bytes(source)))
    version = speech.Speaker().version
    say(f"{len(network)} tensors of hama 1.7.0; espeak-ng {version}")
    if version != speech.MADE_WITH:
        say(f"note: the shipped readout was made with espeak-ng {speech.MADE_WITH}")
    tensors = {**network, **fit_readout(network)}
    try:
        sha256 = write_tensors(target, tensors, pack.metadata(CLASSES))
    except OutputError as error:
        raise FitError(str(error)) from None
    say(f"{target}: SHA-256 {sha256}")
    same = compare(tensors)
    if not same:
        say("the readout differs: to ship it, put its hash into core/audio/phonetic_weights.py and")
        say("core/audio/assets/phonetic.NOTICE.txt; avatars of the old one are then refused")
    return same


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.fit_phonetic",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("hama", type=Path, help="hama's wheel, or its asr_waveform.hama")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    args = parser.parse_args(argv)
    try:
        return 0 if make(args.hama, args.out) else 1
    except FitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
