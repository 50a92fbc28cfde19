"""The cost of rasterising on a CPU in a step of training."""

from __future__ import annotations

from collections.abc import Iterator

from ..records.avatar import Avatar
from ..records.camera import Camera
from ..records.gaussians import activate
from ..records.job import BakeJob
from ..training.rasterisers.choose import splatter_for
from ..training.rasterisers.record import Rendered, SplatTensors
from .rows import Row, measured


def rasterising(avatar: Avatar, job: BakeJob) -> Iterator[Row]:
    """The canonical head from every camera of the job, degree 3: drawn without gradient, drawn for
    a gradient, and with it. Raises MissingPackageError without torch or numba."""
    splat = splatter_for("cpu")
    import torch

    from ..render.numba.rasterise import rasterise

    splats = activate(avatar.whole())
    values = (splats.means, splats.quats, splats.scales, splats.opacities, splats.sh)
    inputs = [torch.tensor(value).requires_grad_() for value in values]

    def there(camera: Camera) -> Rendered:
        return splat(SplatTensors(*inputs), camera, 3)

    def there_and_back(camera: Camera) -> None:
        drawn = there(camera)
        torch.autograd.grad(drawn.colour.mean() + drawn.alpha.mean(), inputs)

    cameras = [task.camera for task in job.frames]
    yield measured("draw, no gradient", "numba", lambda view: rasterise(splats, view), cameras)
    yield measured("draw to train", "numba", there, cameras)
    yield measured("and gradients", "numba", there_and_back, cameras)
