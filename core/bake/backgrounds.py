"""The background that a job's pictures are composited over."""

from __future__ import annotations

from ..records.arrays import Float32
from ..records.avatar import Avatar
from ..records.camera import Camera
from ..records.job import BakeJob
from ..render.background import background_of


def background_for(job: BakeJob, avatar: Avatar, camera: Camera) -> Float32 | None:
    """(H, W, 3) as `background_of` gives it; None for a transparent picture."""
    if not job.background or avatar.background is None:
        return None
    return background_of(avatar.background, camera)
