"""The weights of the phonetic network, as they ship with the program.

`assets/phonetic.safetensors` holds the tensors of the speech recogniser `hama` 1.7.0 in its own
half precision, and a readout that was fitted for this program (docs/formats.md); origin, licences
and hashes are in `assets/phonetic.NOTICE.txt`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AvatarFileError, FeatureMismatchError
from ..formats.safetensors import read_tensors
from ..records.arrays import Float32

PATH = Path(__file__).with_name("assets") / "phonetic.safetensors"
SHA256 = "b37eb2102305a29157ac25cf29478285fcd1cb42b72986ecb594be12cd42b515"
ORIGIN = "hama 1.7.0, asr_waveform.hama (github.com/hamanlp/hama), with a readout of its own"
LICENCE = "Apache-2.0 and MIT (hama); GPL-3.0-or-later (readout)"


@dataclass(frozen=True, eq=False)
class PhoneticWeights:
    """tensors: name -> float32 array, named as in docs/formats.md. classes: what the values of a
    step stand for. sha256: of the file, in hexadecimal."""

    tensors: Mapping[str, Float32]
    classes: tuple[str, ...]
    sha256: str

    def __getitem__(self, name: str) -> Float32:
        return self.tensors[name]


@cache
def load_weights() -> PhoneticWeights:
    """The shipped weights, read once. FeatureMismatchError if the file is missing, damaged or not
    the expected one."""
    try:
        tensors, metadata, sha256 = read_tensors(PATH)
    except AvatarFileError as error:
        raise FeatureMismatchError(
            f"the phonetic network cannot be read ({error}); install the program again"
        ) from None
    if sha256 != SHA256:
        raise FeatureMismatchError(
            f"{PATH} has the hash {sha256[:12]}, this program's phonetic network {SHA256[:12]}; "
            "install the program again"
        )
    arrays: dict[str, Float32] = {k: v.astype(np.float32) for k, v in tensors.items()}
    return PhoneticWeights(arrays, tuple(metadata["classes"].split()), sha256)


def provenance() -> dict[str, Any]:
    """The origin of the network, for an avatar's header."""
    return {"weights_sha256": SHA256, "weights_origin": ORIGIN, "weights_licence": LICENCE}
