"""The cost of a step of training on a CPU: rasterising, the layers that move
the Gaussians, and the losses of a picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..network.build import NetworkPlan, new_weights
from ..records.avatar import Avatar
from ..records.camera import Camera
from ..records.gaussians import activate
from ..records.job import BakeJob
from ..records.weights import PAPER
from ..training.config import config_for
from ..training.rasterisers.choose import splatter_for
from ..training.rasterisers.record import Rendered, SplatTensors
from .rows import Row, measured

POINTS, SIDE, RUNS = 16_000, 416, 12


def rasterising(avatar: Avatar, job: BakeJob) -> Iterator[Row]:
    """The canonical head from every camera of the job, degree 3: drawn without gradient, drawn for
    a gradient, and with it; the last at half the size, too, with which a training begins. Raises
    MissingPackageError without torch or numba."""
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
    small = [camera.resized(camera.width // 2, camera.height // 2) for camera in cameras]
    yield measured("gradients, small", "numba", there_and_back, small)


def layers(compiled: bool) -> Row:
    """A new network of --preset good moves POINTS Gaussians in two frames, with all gradients: by
    numba's kernels, or by their twins in torch. Raises MissingPackageError without torch or
    numba."""
    splatter_for("cpu")
    import torch

    from ..network.torch.network import RawTensors, TorchNetwork

    rng, config, box = np.random.default_rng(0), config_for("good"), np.ones(3)
    plan = NetworkPlan(
        PAPER, 32, -box, box, rng.normal(size=(9, 12)), config.resolution, config.agents,
        hidden=config.hidden, decoder=config.decoder,
    )  # fmt: skip
    network = TorchNetwork(new_weights(plan, 0), compiled=compiled)
    shapes = [(POINTS, 3), (POINTS, 3), (POINTS, 4), (POINTS,), (POINTS, 16, 3)]
    canonical = RawTensors(
        *(torch.tensor(rng.uniform(-1, 1, shape), dtype=torch.float32) for shape in shapes)
    )
    codes, poses = torch.zeros(2, 32), torch.zeros(2, 12)
    eyes = torch.zeros(2, dtype=torch.float64)

    def there_and_back(_: int) -> None:
        x = network.features(canonical.means)
        first = network.first_attention(x)
        moved = network.moved(canonical, x, first, codes, eyes, poses)
        torch.stack([value.square().mean() for value in moved]).sum().backward()

    name = "numba" if compiled else "torch"
    return measured("move to train", name, there_and_back, range(RUNS))


def losses(compiled: bool) -> Row:
    """The losses of a picture of SIDE x SIDE and their gradients. As `layers`."""
    splatter_for("cpu")
    import torch

    from ..training.losses import picture_loss, plain

    picture, target = torch.rand(2, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0))
    picture.requires_grad_()
    alpha, head = target.detach()[..., 0].clone().requires_grad_(), target[..., 1]
    weights = config_for("good").losses
    way = picture_loss if compiled else plain

    def there_and_back(_: int) -> None:
        torch.autograd.grad(way(picture, target, alpha, head, None, weights), (picture, alpha))

    name = "numba" if compiled else "torch"
    return measured("losses to train", name, there_and_back, range(RUNS))
