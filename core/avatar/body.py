"""The tensors of the body (records.body.Body) in an avatar's file."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import AvatarFileError
from ..formats.safetensors import Array, float32, floats
from ..records.body import Body

PREFIX = "body."
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
