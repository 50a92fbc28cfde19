"""The avatar file, .egs: one file in the safetensors layout, written atomically, read in one go.

Version 4; an avatar whose mouth nothing shuts (records Shut) is written as version 3, and one whose
features have no MouthMap as version 2. Metadata: "format" = "egs", "version", "avatar" (the JSON
document of `header.py`).
Tensors, float32 unless said otherwise (float16 where saved with `half`, marked *):

    gaussians.means (N, 3)   gaussians.log_scales (N, 3)   gaussians.quats (N, 4)
    gaussians.opacity_logits (N,)   gaussians.sh_dc (N, 3)   gaussians.sh_rest (N, 15, 3) *
    network.NAME             every tensor of `network.architecture.tensor_names`; the tri-plane *
    plates.background (H, W, 3) uint8   plates.torso (H, W, 4) uint8
    track.viewmats (F, 4, 4)   track.eyes (F,) float64   track.bodies (F, 4, 4)
    body.means (M, 3)   body.log_scales (M, 3)   body.quats (M, 4)   body.opacity_logits (M,)
    body.colours (M, 3)   body.weights (M,): see records/body.py
    landmarks.places (68, 3): optional; version 1 has none
    held.rows (H,) int64   held.ATTRIBUTE (H, values) float16: see frozen.py
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AvatarFileError, CheckpointError
from ..formats.safetensors import (
    Array,
    float32,
    floats,
    parse_json,
    read_tensors,
    write_tensors,
)
from ..network.architecture import architecture_named, tensor_names
from ..network.checks import check_weights
from ..network.names import is_grid
from ..records.avatar import Avatar, Background, Track
from ..records.feature_spec import FeatureSpec
from ..records.gaussians import SH_COEFFICIENTS, Gaussians
from ..records.weights import NetworkWeights
from ..system.leftovers import remove_abandoned
from .body import PLACES, body_of, body_tensors, landmarks_of
from .frozen import frozen_of, frozen_tensors
from .header import MAX_GAUSSIANS, NetworkConfig, document_of, header_of, is_rigid

FORMAT = "egs"
VERSION = 4
SUFFIX = ".egs"
HALF_MAX = 65504.0  # the largest float16

Upgrade = Callable[[dict[str, Any], dict[str, Array]], None]


def _to_2(document: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Version 2 added the body; an avatar of version 1 is a head alone."""
    document["body"] = None


def _to_3(document: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Version 3 added the map from sound features to the mouth's shape, which may be left out."""


def _to_4(document: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Version 4 added what shuts a mouth against its map, which may be left out."""


# Version k -> function that upgrades a document and its tensors to version k + 1, in place.
UPGRADES: dict[int, Upgrade] = {1: _to_2, 2: _to_3, 3: _to_4}


def save_avatar(avatar: Avatar, path: str | Path, half: bool = False) -> str:
    """Write `avatar` atomically; returns the content hash (SHA-256 of the file, hexadecimal).

    Lossless by default. `half` stores the tri-planes and the spherical harmonics above degree 0 as
    float16; everything that is added to or squared (means, scales, quaternions, opacities, colour,
    the small networks) stays float32. Values that were read as float16 are written as float16.
    OutputError if the file cannot be written."""
    remove_abandoned(Path(path).parent)
    tensors = _gaussian_tensors(avatar.gaussians)
    if avatar.network is not None:
        check_weights(avatar.network)
        tensors |= _network_tensors(avatar.network)
    if avatar.background is not None:
        tensors["plates.background"] = avatar.background.image
        if avatar.background.torso is not None:
            tensors["plates.torso"] = avatar.background.torso
    if avatar.track is not None:
        tensors["track.viewmats"] = avatar.track.viewmats
        tensors["track.eyes"] = avatar.track.eyes.astype(np.float64)
        if avatar.track.bodies is not None:
            tensors["track.bodies"] = avatar.track.bodies
    if avatar.body is not None:
        tensors |= body_tensors(avatar.body)
    if avatar.landmarks is not None:
        tensors[PLACES] = avatar.landmarks
    if avatar.frozen_gaussians is not None:
        tensors |= frozen_tensors(avatar.frozen_gaussians)
    tensors = {name: _halved(name, array, half) for name, array in tensors.items()}
    document = json.dumps(document_of(avatar), ensure_ascii=False, allow_nan=False)
    metadata = {"format": FORMAT, "version": str(_version(avatar)), "avatar": document}
    return write_tensors(Path(path), tensors, metadata)


def _version(avatar: Avatar) -> int:
    """The oldest version that holds the avatar, so that older programs read all that they can."""
    mouth = None if avatar.features is None else avatar.features.mouth
    if mouth is None:
        return 2
    return 3 if mouth.shut is None else VERSION


def load_avatar(path: str | Path) -> Avatar:
    """Read and check a whole avatar; `content_hash` is the SHA-256 of the bytes that were read.
    Tensors stored as float16 come back as float32. AvatarFileError names what is wrong."""
    path = Path(path)
    tensors, metadata, content_hash = read_tensors(path)
    try:
        document = _upgraded(metadata, tensors)
        header = header_of(document)
        network = None if header.network is None else _network(header.network, tensors)
        _check_features(header.features, network)
        gaussians = _gaussians(tensors)
        return Avatar(
            name=header.name,
            gaussians=gaussians,
            camera=header.camera,
            network=network,
            features=header.features,
            background=_background(tensors, (header.camera.height, header.camera.width)),
            track=_track(tensors),
            frozen_gaussians=frozen_of(header.measured, tensors, network, len(gaussians)),
            licence=header.licence,
            provenance=header.provenance,
            content_hash=content_hash,
            body=body_of(header.body, tensors),
            landmarks=landmarks_of(tensors),
        )
    except AvatarFileError as error:
        raise AvatarFileError(f"{path}: {error}") from None


def _gaussian_tensors(gaussians: Gaussians) -> dict[str, Array]:
    return {
        "gaussians.means": gaussians.means,
        "gaussians.log_scales": gaussians.log_scales,
        "gaussians.quats": gaussians.quats,
        "gaussians.opacity_logits": gaussians.opacity_logits,
        "gaussians.sh_dc": gaussians.sh[:, 0],
        "gaussians.sh_rest": gaussians.sh[:, 1:],
    }


def _network_tensors(network: NetworkWeights) -> dict[str, Array]:
    names = tensor_names(architecture_named(network.kind, network.arrays))
    return {f"network.{name}": network.arrays[name] for name in names}


def _halved(name: str, array: Array, half: bool) -> Array:
    """The array as float16 if `half` allows it or if that loses nothing."""
    tolerant = name == "gaussians.sh_rest" or is_grid(name.removeprefix("network."))
    if not tolerant or np.abs(array).max(initial=0) > HALF_MAX:
        return array
    halved = array.astype(np.float16)
    return halved if half or np.array_equal(halved, array) else array


def _upgraded(metadata: Mapping[str, str], tensors: dict[str, Array]) -> dict[str, Any]:
    """The document, upgraded to the current version."""
    if metadata.get("format") != FORMAT:
        raise AvatarFileError(
            "this is a safetensors file but not an avatar; convert a checkpoint first"
        )
    text = metadata.get("version", "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 6):
        raise AvatarFileError(f"format version {text[:20]!r} is not a number; the file is damaged")
    version = int(text)
    if version > VERSION:
        raise AvatarFileError(
            f"format version {version} is newer than {VERSION}, the newest known here; "
            "update this program"
        )
    try:
        document = parse_json(metadata.get("avatar", ""))
    except ValueError:
        raise AvatarFileError(
            "the avatar's header is not valid JSON; the file is damaged"
        ) from None
    while version < VERSION:
        if version not in UPGRADES:
            raise AvatarFileError(
                f"format version {version} is not known; convert the avatar again"
            )
        UPGRADES[version](document, tensors)
        version += 1
    return document


def _gaussians(tensors: Mapping[str, Array]) -> Gaussians:
    means = floats(tensors, "gaussians.means", None, 3)
    n = len(means)
    if not 1 <= n <= MAX_GAUSSIANS:
        raise AvatarFileError(f"{n} Gaussians are outside 1..{MAX_GAUSSIANS}")
    dc = floats(tensors, "gaussians.sh_dc", n, 3)
    rest = floats(tensors, "gaussians.sh_rest", n, SH_COEFFICIENTS - 1, 3)
    return Gaussians(
        means=float32(means),
        log_scales=float32(floats(tensors, "gaussians.log_scales", n, 3)),
        quats=float32(floats(tensors, "gaussians.quats", n, 4)),
        opacity_logits=float32(floats(tensors, "gaussians.opacity_logits", n)),
        sh=np.concatenate([float32(dc)[:, None], float32(rest)], axis=1),
    )


def _network(config: NetworkConfig, tensors: Mapping[str, Array]) -> NetworkWeights:
    prefix = "network."
    found = {name[len(prefix) :]: a for name, a in tensors.items() if name.startswith(prefix)}
    names = tensor_names(architecture_named(config.kind, found))
    arrays = {name: float32(found[name]) for name in names if name in found}
    weights = NetworkWeights(config.kind, arrays, config.frozen, config.agents, config.heads)
    try:
        check_weights(weights)
    except CheckpointError as error:
        raise AvatarFileError(str(error)) from None
    return weights


def _check_features(features: FeatureSpec | None, network: NetworkWeights | None) -> None:
    if (features is None) != (network is None):
        raise AvatarFileError("a network and its sound features go together; the file is damaged")
    if features is not None and network is not None and features.values != sound_values(network):
        raise AvatarFileError(
            f"the header names {features.values} sound values a step, the network takes "
            f"{sound_values(network)}; the file is damaged"
        )


def sound_values(network: NetworkWeights) -> int:
    """Sound values a step that the first convolution takes (29 in official networks)."""
    return int(network.arrays["audio_net.encoder_conv.0.weight"].shape[1])


def _background(tensors: Mapping[str, Array], size: tuple[int, int]) -> Background | None:
    background, torso = tensors.get("plates.background"), tensors.get("plates.torso")
    for image, channels in ((background, 3), (torso, 4)):
        if image is not None and (image.dtype != np.uint8 or image.shape != (*size, channels)):
            raise AvatarFileError(
                f"a background image is {image.dtype.name} {list(image.shape)}, not uint8 "
                f"{[*size, channels]} as the training camera is"
            )
    return None if background is None else Background(background, torso)


def _track(tensors: Mapping[str, Array]) -> Track | None:
    if "track.viewmats" not in tensors:
        return None
    viewmats = floats(tensors, "track.viewmats", None, 4, 4)
    eyes = floats(tensors, "track.eyes", len(viewmats))
    if not len(eyes):
        raise AvatarFileError("the track has no rows; the file is damaged")
    bodies = None
    if "track.bodies" in tensors:
        bodies = float32(floats(tensors, "track.bodies", len(viewmats), 4, 4))
    if not is_rigid(viewmats) or (bodies is not None and not is_rigid(bodies)):
        raise AvatarFileError("the track's cameras are not rotations and translations")
    if eyes.min() < 0 or eyes.max() > 1:
        raise AvatarFileError("the track's eye closures are outside 0..1; the file is damaged")
    return Track(float32(viewmats), eyes.astype(np.float64), bodies)
