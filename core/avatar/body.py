"""The tensors of body and landmarks (records.body.Body, Avatar.landmarks) in an avatar's file."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import AvatarFileError
from ..formats.safetensors import Array, float32, floats
from ..records.arrays import Float32
from ..records.body import Body

PREFIX = "body."
PLACES, LANDMARKS = "landmarks.places", 68
WIDTHS: dict[str, tuple[int, ...]] = {
    "means": (3,),
    "log_scales": (3,),
    "quats": (4,),
    "opacity_logits": (),
    "colours": (3,),
    "weights": (),
}


def body_tensors(body: Body) -> dict[str, Array]:
    return {f"{PREFIX}{name}": getattr(body, name) for name in WIDTHS}


def body_of(count: int | None, tensors: Mapping[str, Array]) -> Body | None:
    """The body in `tensors`; None if the header has none. count: its Gaussians. AvatarFileError."""
    if count is None:
        return None
    found = {
        name: float32(floats(tensors, f"{PREFIX}{name}", count, *shape))
        for name, shape in WIDTHS.items()
    }
    if found["weights"].min() < 0 or found["weights"].max() > 1:
        raise AvatarFileError("the body's weights are outside 0..1; the file is damaged")
    return Body(**found)


def landmarks_of(tensors: Mapping[str, Array]) -> Float32 | None:
    """(68, 3); None if the file has none. AvatarFileError."""
    if PLACES not in tensors:
        return None
    return float32(floats(tensors, PLACES, LANDMARKS, 3))
