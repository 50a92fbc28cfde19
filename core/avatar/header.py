"""The header of an .egs file: everything of an avatar except its tensors, as one JSON document.

    {"name", "licence", "provenance",
     "network":  {"kind", "frozen", "agents", "heads"} or null for a still,
     "features": FeatureSpec field by field, or null; without "mouth" if it has none, which is
                 without "shut" if it has none,
     "camera":   {"convention", "viewmat", "fx", "fy", "cx", "cy", "width", "height"},
     "held":     {"worst", "mean", "frames", "sound"} or null, see records.avatar.Measured,
     "body":     {"gaussians"} or null for a head alone}

The document names no class and carries a version (in `file.py`), so any program can read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import AvatarFileError, CameraError
from ..network.architecture import KINDS
from ..records.avatar import Avatar, Measured
from ..records.camera import Camera
from ..records.feature_spec import NORMALISATIONS, OUTSIDE, FeatureSpec, MouthMap, Shut
from ..records.gaussians import WIDTHS

CONVENTION = (
    "OpenCV camera axes: x right, y down, z forward; viewmat takes the head's frame (x right, "
    "y up, z to the viewer; decimetres) to the camera; focal lengths and principal point in "
    "pixels, the centre of the first pixel at 0.5"
)
FROZEN = frozenset(WIDTHS)
MAX_GAUSSIANS = 10_000_000


@dataclass(frozen=True)
class NetworkConfig:
    """The fields of `NetworkWeights` other than its arrays."""

    kind: str
    frozen: frozenset[str]
    agents: int
    heads: int | None


@dataclass(frozen=True, eq=False)
class Header:
    """The document as records. body: its Gaussians, None for a head alone."""

    name: str
    licence: str
    provenance: Mapping[str, Any]
    network: NetworkConfig | None
    features: FeatureSpec | None
    camera: Camera
    measured: Measured | None
    body: int | None


def document_of(avatar: Avatar) -> dict[str, Any]:
    """The JSON document of an avatar."""
    network, features, camera = avatar.network, avatar.features, avatar.camera
    return {
        "name": avatar.name,
        "licence": avatar.licence,
        "provenance": dict(avatar.provenance),
        "network": None
        if network is None
        else {
            "kind": network.kind,
            "frozen": sorted(network.frozen),
            "agents": network.agents,
            "heads": network.heads,
        },
        "features": None if features is None else _features_document(features),
        "camera": {
            "convention": CONVENTION,
            "viewmat": camera.viewmat.tolist(),
            "fx": camera.fx,
            "fy": camera.fy,
            "cx": camera.cx,
            "cy": camera.cy,
            "width": camera.width,
            "height": camera.height,
        },
        "held": None
        if avatar.frozen_gaussians is None
        else asdict(avatar.frozen_gaussians.measured),
        "body": None if avatar.body is None else {"gaussians": len(avatar.body)},
    }


def _features_document(features: FeatureSpec) -> dict[str, Any]:
    document = asdict(features)
    if features.mouth is None:
        del document["mouth"]
    elif features.mouth.shut is None:
        del document["mouth"]["shut"]
    return document


def header_of(document: Any) -> Header:
    """The records of a document; AvatarFileError names the entry that is wrong."""
    top = _Entries(document, "header")
    network, features, frozen, body = (
        top.optional(key) for key in ("network", "features", "held", "body")
    )
    provenance = top.take("provenance", dict)
    return Header(
        name=top.take("name", str),
        licence=top.take("licence", str),
        provenance=provenance,
        network=None if network is None else _network(network),
        features=None if features is None else _features(features),
        camera=_camera(_Entries(top.take("camera", dict), "camera")),
        measured=None if frozen is None else _measured(frozen),
        body=None if body is None else body.whole("gaussians", 1, MAX_GAUSSIANS),
    )


class _Entries:
    """A JSON object whose values are read by name and type."""

    def __init__(self, value: Any, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise AvatarFileError(f"{where} is not a JSON object; the file is damaged")
        self.value = value

    def bad(self, key: str, wanted: str) -> AvatarFileError:
        return AvatarFileError(
            f"{self.where} entry {key!r} is missing or not a {wanted}; the file is damaged"
        )

    def take(self, key: str, kind: type) -> Any:
        value = self.value.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.bad(
                key, {str: "string", int: "whole number", dict: "JSON object"}.get(kind, "list")
            )
        return value

    def optional(self, key: str) -> _Entries | None:
        value = self.value.get(key)
        return None if value is None else _Entries(value, key)

    def number(self, key: str) -> float:
        value = self.value.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        raise self.bad(key, "finite number")

    def whole(self, key: str, low: int, high: int) -> int:
        value: int = self.take(key, int)
        if not low <= value <= high:
            raise AvatarFileError(f"{self.where} entry {key!r} is outside {low}..{high}")
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value: str = self.take(key, str)
        if value not in choices:
            raise AvatarFileError(
                f"{self.where} entry {key!r} is {value[:40]!r}; known are {', '.join(choices)}"
            )
        return value

    def numbers(self, key: str, count: int | None = None) -> tuple[float, ...]:
        values = self.take(key, list)
        try:
            array = np.asarray(values, np.float64)
        except (TypeError, ValueError, OverflowError):
            raise self.bad(key, "list of numbers") from None
        if not np.isfinite(array).all() or (count is not None and array.size != count):
            raise self.bad(key, f"list of {'finite' if count is None else count} numbers")
        return tuple(float(v) for v in array.ravel())


def _network(entries: _Entries) -> NetworkConfig:
    kind = entries.choice("kind", tuple(KINDS))
    frozen = entries.take("frozen", list)
    if not all(isinstance(name, str) for name in frozen) or not FROZEN.issuperset(frozen):
        raise AvatarFileError(f"network entry 'frozen' may only name {', '.join(sorted(FROZEN))}")
    heads = None if entries.value.get("heads") is None else entries.whole("heads", 1, 64)
    return NetworkConfig(kind, frozenset(frozen), entries.whole("agents", 1, 100_000), heads)


def _features(entries: _Entries) -> FeatureSpec:
    spec = FeatureSpec(
        kind=entries.take("kind", str),
        dim=entries.whole("dim", 1, 4096),
        version=entries.whole("version", 0, 10_000),
        rate=entries.number("rate"),
        window=entries.whole("window", 1, 4096),
        stride=entries.whole("stride", 1, 4096),
        pad=entries.whole("pad", 0, 4096),
        parameters=entries.take("parameters", dict),
        normalisation=entries.choice("normalisation", NORMALISATIONS),
        mean=entries.numbers("mean"),
        std=entries.numbers("std"),
        outside=entries.choice("outside", OUTSIDE),
        mouth=None if (mouth := entries.optional("mouth")) is None else _mouth(mouth, entries),
    )
    if spec.rate <= 0:
        raise AvatarFileError(f"feature rate {spec.rate:g} must be positive")
    wanted = spec.dim if spec.normalisation == "fixed" else 0
    if len(spec.mean) != wanted or len(spec.std) != wanted or min(spec.std, default=1.0) <= 0:
        raise AvatarFileError(
            f"feature normalisation {spec.normalisation!r} needs {wanted} means and {wanted} "
            f"positive deviations, the file has {len(spec.mean)} and {len(spec.std)}"
        )
    return spec


def _mouth(entries: _Entries, features: _Entries) -> MouthMap:
    bins, bias = entries.whole("bins", 1, 4096), entries.numbers("bias")
    numbers, values = len(bias), bins * features.whole("dim", 1, 4096)
    shut = entries.optional("shut")
    return MouthMap(
        bins=bins,
        weights=entries.numbers("weights", numbers * values),
        bias=bias,
        low=entries.numbers("low", numbers),
        high=entries.numbers("high", numbers),
        shut=None
        if shut is None
        else Shut(
            weights=shut.numbers("weights", 2 * values),
            bias=shut.numbers("bias", 2),
            closed=shut.numbers("closed", numbers),
        ),
    )


def _measured(entries: _Entries) -> Measured:
    return Measured(
        worst=entries.number("worst"),
        mean=entries.number("mean"),
        frames=entries.whole("frames", 1, 1_000_000),
        sound=entries.take("sound", str),
    )


def _camera(entries: _Entries) -> Camera:
    viewmat = np.array(entries.numbers("viewmat", 16)).reshape(4, 4)
    if not is_rigid(viewmat[None]):
        raise AvatarFileError(
            "the training camera is not a rotation and a translation; the file is damaged"
        )
    fx, fy, cx, cy = (entries.number(key) for key in ("fx", "fy", "cx", "cy"))
    width, height = entries.take("width", int), entries.take("height", int)
    try:
        return Camera(viewmat, fx, fy, cx, cy, width, height)
    except CameraError as error:
        raise AvatarFileError(f"training camera: {error}") from None


def is_rigid(viewmats: Any) -> bool:
    """True if every (F, 4, 4) matrix is a rotation and a translation, to float32 precision."""
    matrices = np.asarray(viewmats, np.float64)
    if not np.isfinite(matrices).all() or np.abs(matrices).max(initial=0) > 1e6:
        return False
    rotation = matrices[:, :3, :3]
    right = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max(initial=0) < 1e-3
    last = np.abs(matrices[:, 3] - (0, 0, 0, 1)).max(initial=0) < 1e-6
    return bool(right and last and (np.linalg.det(rotation) > 0).all())
