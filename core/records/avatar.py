"""The avatar as frozen records: the contents of an .egs file."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .arrays import Float32, Float64
from .body import Body
from .camera import Camera
from .feature_spec import FeatureSpec
from .gaussians import Gaussians, concatenated
from .weights import NetworkWeights


@dataclass(frozen=True, eq=False)
class Background:
    """The training camera's view without the head, uint8, sRGB-encoded: image (H, W, 3) and, if the
    dataset has one, torso (H, W, 4) with straight alpha, composited over it."""

    image: NDArray[np.uint8]
    torso: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Track:
    """The movement of head, eyes and body in training, 25 rows a second: viewmats (F, 4, 4)
    float32, eyes (F,) float64 closure in [0, 1]. The eye code multiplies the closure by up to 5623,
    which makes the rounding of float32 visible (docs/method.md §3.5). bodies (F, 4, 4) float32:
    body's frame to camera, None where the body does not move."""

    viewmats: Float32
    eyes: Float64
    bodies: Float32 | None = None

    def __len__(self) -> int:
        return len(self.viewmats)


@dataclass(frozen=True)
class Measured:
    """The error of the approximate head (network/frozen.py): the lowest and the mean PSNR, dB, of
    `frames` pictures over the background, driven by `sound` (a file's name)."""

    worst: float
    mean: float
    frames: int
    sound: str


@dataclass(frozen=True, eq=False)
class FrozenGaussians:
    """Gaussians that speech hardly moves (core/bake/freezing.py finds them). rows (H,) int64,
    ascending. offsets: the average that the network adds to their raw values, attribute -> (H,
    width) float32; attributes as in gaussians.ATTRIBUTES, "sh" may have its first columns only."""

    rows: NDArray[np.int64]
    offsets: Mapping[str, Float32]
    measured: Measured

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Avatar:
    """A trained head. `network` and `features` are None for a still (a bare .ply).

    camera: the training camera; its viewmat is the still pose. body: None for a head alone, whose
    neck and shoulders are the torso of its background. frozen_gaussians: None until they are
    measured. landmarks (68, 3): mean places of the usual landmarks on the canonical head, in its
    frame, decimetres; None where training had none. content_hash: SHA-256 of the file in
    hexadecimal, empty before it is written. licence: free text. provenance: JSON data.
    """

    name: str
    gaussians: Gaussians
    camera: Camera
    network: NetworkWeights | None = None
    features: FeatureSpec | None = None
    background: Background | None = None
    track: Track | None = None
    frozen_gaussians: FrozenGaussians | None = None
    licence: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    content_hash: str = ""
    body: Body | None = None
    landmarks: Float32 | None = None

    @property
    def splats(self) -> int:
        """Rows of its cloud: the head's, then the body's."""
        return len(self.gaussians) + (0 if self.body is None else len(self.body))

    def whole(self) -> Gaussians:
        """Head and body at the still pose, canonical; the same arrays at every call."""
        if self.body is None:
            return self.gaussians
        found = _whole.get(self)
        if found is None:
            found = _whole[self] = concatenated(self.gaussians, self.body.gaussians())
        return found


_whole: MutableMapping[Avatar, Gaussians] = WeakKeyDictionary()
