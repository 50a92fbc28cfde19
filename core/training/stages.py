"""The three stages. Each knows its rates, its loss at a step, and what it does between steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..dataset.landmarks import EYES, MOUTH
from ..errors import TrainingError
from ..network.torch.network import FirstAttention, RawTensors
from .batches import Feed, Shot, generator
from .density import Density
from .head import Head, draw, static_raw
from .losses import Perceptual, picture_loss, psnr
from .optimiser import Optimiser
from .rasterisers.record import Splatter
from .schedule import LIPS, MOTION, STATIC

# Learning rates at the beginning of the first stage; decimetres for the means.
GAUSSIANS = {
    "canonical.means": 3e-4,
    "canonical.log_scales": 5e-3,
    "canonical.quats": 1e-3,
    "canonical.opacity_logits": 3e-2,
    "canonical.sh_dc": 5e-3,
    "canonical.sh_rest": 2.5e-4,
}
GRID, NETWORK = 5e-3, 1e-3
# Of the lips stage (network, sound): with twice as much one training in three never heard the sound
# or never moved a lid; of six with these, all did. Pictures teach the sound little but their clip.
LIPS_RATES, MOTION_RATES = (5e-4, 1e-3), (5e-4, 3e-4)
SOUND_DECAY = 0.01
LANDMARK_BATCH, FEW = 32, 12  # frames a step of the lips stage, and beside pictures
DENSIFY = (0.15, 0.75)  # of the first stage
DENSIFY_EVERY = 50
HUBER = 1.0  # pixels


class Stage(Protocol):
    """name: STATIC, LIPS or MOTION. steps: where there is no time limit. final: the rates' factor
    at the end."""

    name: str
    steps: int
    final: float
    optimiser: Optimiser

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        """The loss to go back from, and the PSNR of this step's pictures where there are any."""
        ...

    def after(self, step: int, progress: float) -> None:
        """Once the gradients are there, after the parameters have moved."""
        ...


def network_rates(head: Head, grid: float, network: float, sound: float) -> dict[str, float]:
    rates = {}
    for name, parameter in head.named_parameters():
        if parameter.requires_grad and name.startswith("network."):
            rates[name] = grid if ".grids." in name else sound if ".audio" in name else network
    return rates


def decays(rates: Mapping[str, float]) -> dict[str, float]:
    return {name: SOUND_DECAY for name in rates if ".audio" in name and name.endswith("weight")}


class StaticStage:
    """One still face for all frames, densified and pruned."""

    name, final = STATIC, 0.1

    def __init__(self, feed: Feed, head: Head, splat: Splatter) -> None:
        self.feed, self.head, self.splat = feed, head, splat
        self.steps = feed.config.static_steps
        rates = dict(GAUSSIANS)
        used = ("tri_plane", "encoder")
        of_network = network_rates(head, GRID, NETWORK, 0.0)
        rates |= {k: v for k, v in of_network.items() if any(part in k for part in used)}
        rates |= {f"static.{name}": NETWORK for name in head.static}
        self.optimiser = Optimiser(head, rates, {})
        self.density = Density(len(head), feed.device)
        self._probe: Tensor | None = None
        self._radii: Tensor | None = None

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        feed, head = self.feed, self.head
        head.degree = min(3, int(progress * 5))
        shot = feed.shot(int(feed.draw(self.name, step, 1)[0]))
        x = head.network.features(head.canonical["means"])
        self._probe = torch.zeros(len(head), 2, device=feed.device, requires_grad=True)
        raw = static_raw(head, x)
        drawn = draw(raw, shot.camera, head.degree, self.splat, self._probe)
        self._radii = drawn.radii
        picture = drawn.colour + (1 - drawn.alpha)[..., None] * shot.background
        loss = picture_loss(
            picture, shot.target, drawn.alpha, shot.head, shot.lips, feed.config.losses
        )
        return loss, psnr(picture.detach(), shot.target)

    def after(self, step: int, progress: float) -> None:
        assert self._probe is not None and self._radii is not None
        self.density.collect(self._probe, self._radii)
        begin, end = DENSIFY
        if begin < progress < end and step % DENSIFY_EVERY == 0:
            rng = generator(self.feed.config.seed, "density", step)
            noise = torch.from_numpy(rng.normal(size=(len(self.head), 3)).astype("float32"))
            limit = self.feed.config.max_points
            self.density.adapt(self.head, self.optimiser, limit, noise.to(self.feed.device))


class _Speaking:
    """What the two stages with sound share: landmarks as points that the network moves."""

    def __init__(self, feed: Feed, head: Head) -> None:
        self.feed, self.head = feed, head
        device = feed.device
        anchors = feed.anchors
        self.points = None
        if anchors is not None:
            self.points = torch.tensor(anchors, dtype=torch.float32, device=device)
        weights = torch.ones(68, device=device)
        weights[EYES] = 4
        weights[MOUTH] = 3
        weights[60:] = 6
        self.weights = weights / weights.mean()

    def landmark_loss(
        self, step: int, count: int, x: Tensor, first: FirstAttention | None
    ) -> Tensor:
        """count: frames. x (68, 64): of the anchors; first: their shares of the agents."""
        feed, points = self.feed, self.points
        assert points is not None
        rows = feed.draw(LIPS, step, count, marked=True)
        index = torch.from_numpy(rows).to(feed.device)
        codes = self.head.network.encode_audio(feed.heard(rows, LIPS, step))
        still = _still(points)
        moved, _ = self.head.network.deform(
            still, x, first, codes, feed.eyes[index], feed.poses[index]
        )
        view = feed.viewmats[index]
        camera = torch.einsum("bij,bkj->bki", view[:, :3, :3], moved.means) + view[:, None, :3, 3]
        clip = feed.clip
        middle = torch.tensor([clip.width / 2, clip.height / 2], device=feed.device)
        pixels = camera[..., :2] / camera[..., 2:] * clip.focal + middle
        error = F.huber_loss(pixels, feed.landmarks[index], reduction="none", delta=HUBER)
        return (error.sum(-1) * self.weights).mean()


def _still(points: Tensor) -> RawTensors:
    zeros = points.new_zeros
    n = len(points)
    return RawTensors(points, zeros(n, 3), zeros(n, 4), zeros(n), zeros(n, 1, 3))


class LipsStage(_Speaking):
    """Landmarks alone: the sound learns to move lips and lids before any picture is drawn. It
    costs a hundredth of a picture, so that the sound is heard many times over."""

    name, final = LIPS, 0.1

    def __init__(self, feed: Feed, head: Head) -> None:
        super().__init__(feed, head)
        if self.points is None:
            raise TrainingError("there are no landmarks for a lips stage")
        self.steps = feed.config.lips_steps
        rates = network_rates(head, GRID, *LIPS_RATES)
        self.optimiser = Optimiser(head, rates, decays(rates))

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        head, points = self.head, self.points
        assert points is not None
        agents = head.canonical["means"][: self.feed.config.agents].detach()
        x = head.network.features(torch.cat([agents, points]))
        first = head.network.first_attention(x)
        own = x[len(agents) :]
        if first is not None:
            first = FirstAttention(first.agents, first.shares[len(agents) :])
        return self.landmark_loss(step, LANDMARK_BATCH, own, first), None

    def after(self, step: int, progress: float) -> None:
        pass


class MotionStage(_Speaking):
    """Everything together, on pictures."""

    name, final = MOTION, 0.02

    def __init__(
        self, feed: Feed, head: Head, splat: Splatter, perceptual: Perceptual | None = None
    ) -> None:
        super().__init__(feed, head)
        self.splat, self.perceptual = splat, perceptual
        self.steps = feed.config.motion_steps
        self.landmark = feed.config.losses.landmark if self.points is not None else 0.0
        rates = {name: rate * 0.3 for name, rate in GAUSSIANS.items()}
        rates |= network_rates(head, GRID / 2, *MOTION_RATES)
        self.optimiser = Optimiser(head, rates, decays(rates))

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        feed, head, weights = self.feed, self.head, self.feed.config.losses
        if not feed.config.static_init:
            head.degree = min(3, int(progress * 8))
        rows = feed.draw(self.name, step, feed.config.batch)
        index = torch.from_numpy(rows).to(feed.device)
        landmarks = self.landmark > 0
        x, first = head.field(self.points if landmarks else None)
        count = len(head)
        own = first and FirstAttention(first.agents, first.shares[:count])
        canonical = head.raw()
        codes = head.network.encode_audio(feed.heard(rows, self.name, step))
        half = feed.config.precision == "bfloat16"
        with torch.autocast(torch.device(feed.device).type, torch.bfloat16, enabled=half):
            moved, _ = head.network.deform(
                canonical, x[:count], own, codes, feed.eyes[index], feed.poses[index]
            )
        loss = weights.offset * (moved.means - canonical.means).abs().mean()
        quality = 0.0
        for b, row in enumerate(rows):
            part, db = self._picture(
                feed.shot(int(row)), RawTensors(*(value[b] for value in moved))
            )
            loss = loss + part / len(rows)
            quality += db / len(rows)
        if landmarks:
            anchors = first and FirstAttention(first.agents, first.shares[count:])
            loss = loss + self.landmark * self.landmark_loss(step, FEW, x[count:], anchors)
        return loss, quality

    def _picture(self, shot: Shot, raw: RawTensors) -> tuple[Tensor, float]:
        drawn = draw(raw, shot.camera, self.head.degree, self.splat)
        picture = drawn.colour + (1 - drawn.alpha)[..., None] * shot.background
        loss = picture_loss(
            picture,
            shot.target,
            drawn.alpha,
            shot.head,
            shot.lips,
            self.feed.config.losses,
            self.perceptual,
        )
        return loss, psnr(picture.detach(), shot.target)

    def after(self, step: int, progress: float) -> None:
        pass
