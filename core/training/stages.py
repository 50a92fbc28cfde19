"""The three stages: static, lips and motion. Each has learning rates and a loss for every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..dataset.landmarks import EYES, MOUTH
from ..errors import TrainingError
from ..network.names import is_grid
from ..network.torch.network import FirstAttention, RawTensors
from .batches import Batches, HeadCrop, generator
from .coarse import crop_at
from .density import Density
from .head import Field, Head, draw, static_raw
from .losses import Perceptual, picture_loss, psnr
from .optimiser import Optimiser
from .rasterisers.record import Splatter
from .schedule import LIPS, MOTION, STATIC
from .surface import EVERY, Surface

# Initial learning rates of the first stage; decimetres for the means.
GAUSSIANS = {
    "canonical.means": 3e-4,
    "canonical.log_scales": 5e-3,
    "canonical.quats": 1e-3,
    "canonical.opacity_logits": 3e-2,
    "canonical.sh_dc": 5e-3,
    "canonical.sh_rest": 2.5e-4,
}
GRID, NETWORK = 5e-3, 1e-3
# (network, audio). With twice the rates of the lips stage, one training in three learnt no lip or
# lid movement; with these, all six did. On pictures the audio encoder mostly overfits to the clip.
LIPS_RATES, MOTION_RATES = (5e-4, 1e-3), (5e-4, 3e-4)
AUDIO_DECAY = 0.01
LIPS_FRAMES, MOTION_FRAMES = 32, 12  # whose landmarks a step of each stage uses
DENSIFY = (0.15, 0.75)  # from and to, as shares of the first stage
DENSIFY_EVERY = 50
HUBER = 1.0  # pixels


class Stage(Protocol):
    """name: STATIC, LIPS, MOTION or BODY. steps: if there is no time limit. final: factor of the
    learning rates at the end of the stage."""

    name: str
    steps: int
    final: float
    optimiser: Optimiser

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        """The loss of this step, and the PSNR of its pictures (dB) if it renders any. progress: 0
        to 1."""
        ...

    def after(self, step: int, progress: float) -> None:
        """Called after the optimiser's step: density control."""
        ...


def network_rates(head: Head, grid: float, network: float, audio: float) -> dict[str, float]:
    rates = {}
    for name, parameter in head.named_parameters():
        if parameter.requires_grad and name.startswith("network."):
            of_grid = is_grid(name.removeprefix("network."))
            rates[name] = grid if of_grid else audio if ".audio" in name else network
    return rates


def decays(rates: Mapping[str, float]) -> dict[str, float]:
    return {name: AUDIO_DECAY for name in rates if ".audio" in name and name.endswith("weight")}


class StaticStage:
    """One static face for all frames, densified and pruned."""

    name, final = STATIC, 0.1

    def __init__(self, batches: Batches, head: Head, splat: Splatter) -> None:
        self.batches, self.head, self.splat = batches, head, splat
        self.steps = batches.config.static_steps
        rates = dict(GAUSSIANS)
        used = ("tri_plane", "encoder")
        of_network = network_rates(head, GRID, NETWORK, 0.0)
        rates |= {k: v for k, v in of_network.items() if any(part in k for part in used)}
        rates |= {f"static.{name}": NETWORK for name in head.static}
        self.optimiser = Optimiser(head, rates, {})
        self.density = Density(len(head), batches.device)
        self.surface = Surface(batches.clip.points, batches.device, batches.landmark_points)
        self._probe: Tensor | None = None
        self._radii: Tensor | None = None

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        batches, head = self.batches, self.head
        head.degree = min(3, int(progress * 5))
        crop = crop_at(progress, batches.crop(int(batches.sample_rows(self.name, step, 1)[0])))
        crop = batches.on_wrong_background(crop, self.name, step)
        x = head.network.features(head.canonical["means"])
        self._probe = torch.zeros(len(head), 2, device=batches.device, requires_grad=True)
        raw = static_raw(head, x)
        drawn = draw(raw, crop.camera, head.degree, self.splat, self._probe)
        self._radii = drawn.radii
        picture = drawn.colour + (1 - drawn.alpha)[..., None] * crop.background
        loss = picture_loss(
            picture, crop.target, drawn.alpha, crop.head, crop.lips, batches.config.losses
        )
        weight = batches.config.losses.surface
        if weight and step % EVERY == 0:
            loss = loss + EVERY * weight * self.surface.loss(raw)
        return loss, psnr(picture.detach(), crop.target)

    def after(self, step: int, progress: float) -> None:
        assert self._probe is not None and self._radii is not None
        self.density.collect(self._probe, self._radii)
        begin, end = DENSIFY
        if begin < progress < end and step % DENSIFY_EVERY == 0:
            rng = generator(self.batches.config.seed, "density", step)
            noise = torch.from_numpy(rng.normal(size=(len(self.head), 3)).astype("float32"))
            limit = self.batches.config.max_points
            self.density.adapt(self.head, self.optimiser, limit, noise.to(self.batches.device))


class _AudioStage:
    """Shared by the two stages with audio: landmarks as points that the network moves."""

    def __init__(self, batches: Batches, head: Head) -> None:
        self.batches, self.head = batches, head
        device = batches.device
        self.points = None
        if batches.landmark_points is not None:
            points = batches.landmark_points
            self.points = torch.tensor(points, dtype=torch.float32, device=device)
        weights = torch.ones(68, device=device)
        weights[EYES] = 4
        weights[MOUTH] = 3
        weights[60:] = 6
        self.weights = weights / weights.mean()

    def landmark_loss(
        self, step: int, count: int, x: Tensor, first: FirstAttention | None
    ) -> Tensor:
        """Huber distance of the projected landmark points, pixels, over `count` frames. x (68, 64):
        features of the points. first: their attention to the agents."""
        batches, points = self.batches, self.points
        assert points is not None
        rows = batches.sample_rows(LIPS, step, count, with_landmarks=True)
        index = torch.from_numpy(rows).to(batches.device)
        codes = self.head.network.encode_audio(batches.augmented_windows(rows, LIPS, step))
        raw = _points_alone(points)
        moved = self.head.network.moved(
            raw, x, first, codes, batches.eyes[index], batches.landmark_poses(rows, step)
        )
        view = batches.viewmats[index]
        camera = torch.einsum("bij,bkj->bki", view[:, :3, :3], moved.means) + view[:, None, :3, 3]
        clip = batches.clip
        middle = torch.tensor([clip.width / 2, clip.height / 2], device=batches.device)
        pixels = camera[..., :2] / camera[..., 2:] * clip.focal + middle
        error = F.huber_loss(pixels, batches.landmarks[index], reduction="none", delta=HUBER)
        return (error.sum(-1) * self.weights).mean()


def parted(x: Tensor, first: FirstAttention | None, count: int) -> tuple[Field, Field]:
    """The first `count` rows of a field, and the others."""
    sides = [count, len(x) - count]
    one, other = x.split(sides)
    if first is None:
        return (one, None), (other, None)
    left, right = first.shares.split(sides)
    return (one, FirstAttention(first.agents, left)), (other, FirstAttention(first.agents, right))


def _points_alone(points: Tensor) -> RawTensors:
    """Points (P, 3) as Gaussians whose other values are zero."""
    zeros = points.new_zeros
    n = len(points)
    return RawTensors(points, zeros(n, 3), zeros(n, 4), zeros(n), zeros(n, 1, 3))


class LipsStage(_AudioStage):
    """Landmarks alone: the network learns to move lips and lids before it renders pictures. A step
    costs a hundredth of a picture's, so that all audio is used many times."""

    name, final = LIPS, 0.1

    def __init__(self, batches: Batches, head: Head) -> None:
        super().__init__(batches, head)
        if self.points is None:
            raise TrainingError(
                "the lips stage needs landmarks, and the dataset has none; use --lips-steps 0"
            )
        self.steps = batches.config.lips_steps
        rates = network_rates(head, GRID, *LIPS_RATES)
        self.optimiser = Optimiser(head, rates, decays(rates))

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        head, points = self.head, self.points
        assert points is not None
        agents = head.canonical["means"][: self.batches.config.agents].detach()
        x = head.network.features(torch.cat([agents, points]))
        _, of_points = parted(x, head.network.first_attention(x), len(agents))
        return self.landmark_loss(step, LIPS_FRAMES, *of_points), None

    def after(self, step: int, progress: float) -> None:
        pass


class MotionStage(_AudioStage):
    """Everything together, on pictures."""

    name, final = MOTION, 0.02

    def __init__(
        self, batches: Batches, head: Head, splat: Splatter, perceptual: Perceptual | None = None
    ) -> None:
        super().__init__(batches, head)
        self.splat, self.perceptual = splat, perceptual
        self.surface = Surface(batches.clip.points, batches.device, batches.landmark_points)
        self.steps = batches.config.motion_steps
        self.landmark = batches.config.losses.landmark if self.points is not None else 0.0
        rates = {name: rate * 0.3 for name, rate in GAUSSIANS.items()}
        rates |= network_rates(head, GRID / 2, *MOTION_RATES)
        self.optimiser = Optimiser(head, rates, decays(rates))

    def loss(self, step: int, progress: float) -> tuple[Tensor, float | None]:
        batches, head, weights = self.batches, self.head, self.batches.config.losses
        if not batches.config.static_init:
            head.degree = min(3, int(progress * 8))
        rows = batches.sample_rows(self.name, step, batches.config.batch)
        index = torch.from_numpy(rows).to(batches.device)
        landmarks = self.landmark > 0
        own, of_points = parted(*head.field(self.points if landmarks else None), len(head))
        canonical = head.raw()
        codes = head.network.encode_audio(batches.augmented_windows(rows, self.name, step))
        half = batches.config.precision == "bfloat16"
        with torch.autocast(torch.device(batches.device).type, torch.bfloat16, enabled=half):
            moved = head.network.moved(
                canonical, *own, codes, batches.eyes[index], batches.poses[index]
            )
        loss = weights.offset * (moved.means - canonical.means).abs().mean()
        if weights.surface and step % EVERY == 0:
            loss = loss + EVERY * weights.surface * self.surface.loss(canonical)
        quality = 0.0
        frames = zip(*(value.unbind() for value in moved), strict=True)
        for row, values in zip(rows, frames, strict=True):
            part, db = self._picture(
                step, crop_at(progress, batches.crop(int(row))), RawTensors(*values)
            )
            loss = loss + part / len(rows)
            quality += db / len(rows)
        if landmarks:
            loss = loss + self.landmark * self.landmark_loss(step, MOTION_FRAMES, *of_points)
        return loss, quality

    def _picture(self, step: int, crop: HeadCrop, raw: RawTensors) -> tuple[Tensor, float]:
        crop = self.batches.on_wrong_background(crop, self.name, step)
        drawn = draw(raw, crop.camera, self.head.degree, self.splat)
        picture = drawn.colour + (1 - drawn.alpha)[..., None] * crop.background
        loss = picture_loss(
            picture,
            crop.target,
            drawn.alpha,
            crop.head,
            crop.lips,
            self.batches.config.losses,
            self.perceptual,
        )
        return loss, psnr(picture.detach(), crop.target)

    def after(self, step: int, progress: float) -> None:
        pass
