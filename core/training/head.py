"""The trainable head, canonical Gaussians and the network, on one device; its initial values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..dataset.clip import TrainingClip
from ..formats.ply import read_ply
from ..network.architecture import DECODED, KINDS, architecture_of
from ..network.build import DIM, NetworkPlan, new_weights
from ..network.torch import compiled_layers, layers
from ..network.torch.network import FirstAttention, RawTensors, TorchNetwork
from ..records.arrays import Float64
from ..records.camera import Camera
from ..records.gaussians import ATTRIBUTES, C0, SH_COEFFICIENTS, Gaussians
from ..records.weights import EGSTALKER, PAPER, NetworkWeights
from .body import TrainableBody
from .config import TrainConfig
from .rasterisers.record import Rendered, SplatTensors, Splatter

FIELDS = (*(a.raw for a in ATTRIBUTES if a.name != "sh"), "sh_dc", "sh_rest")
OPACITY = 0.1  # of a new Gaussian
NEIGHBOURS = 3
Field = tuple[Tensor, FirstAttention | None]  # of Head.field
COLOUR_FRAMES = 16  # that the initial colours are averaged over


class Head(nn.Module):
    """canonical: the six FIELDS, (N, ...), raw values as in records.gaussians.Gaussians, with the
    spherical harmonics in two parts. static: the decoder of the first stage ("paper" only). body:
    what the last stage trains, None for a head alone.
    degree: of the spherical harmonics in use, 0 to 3."""

    def __init__(
        self,
        canonical: dict[str, Tensor],
        weights: NetworkWeights,
        static: dict[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.canonical = nn.ParameterDict({name: canonical[name] for name in FIELDS})
        self.static = nn.ParameterDict(static or {})
        self.network = TorchNetwork(weights, compiled=True)
        self.body: TrainableBody | None = None
        self.degree = 0
        self.is_paper = architecture_of(weights).decoder

    def __len__(self) -> int:
        return len(self.canonical["means"])

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Set parameters by name, as in `named_parameters`; the number of Gaussians may change."""
        with torch.no_grad():
            for name, value in values.items():
                section, _, rest = name.partition(".")
                if section == "canonical":
                    self.canonical[rest] = nn.Parameter(value.clone())
                else:
                    self.get_parameter(name).copy_(value)
        if not any(name.startswith("static.") for name in values):
            self.static = nn.ParameterDict()

    def raw(self) -> RawTensors:
        c = self.canonical
        sh = torch.cat([c["sh_dc"], c["sh_rest"]], dim=1)
        return RawTensors(c["means"], c["log_scales"], c["quats"], c["opacity_logits"], sh)

    def field(self, points: Tensor | None = None) -> tuple[Tensor, FirstAttention | None]:
        """Features (N + P, 64) of the Gaussians and, after them, of `points` (P, 3), with their
        attention to the agents if the network has any."""
        means = self.canonical["means"]
        x = self.network.features(means if points is None else torch.cat([means, points]))
        return x, self.network.first_attention(x)

    def gaussians(self) -> Gaussians:
        """The Gaussians for an avatar; coefficients above `degree` were never trained and are
        zero."""
        with torch.no_grad():
            arrays = [value.detach().cpu().numpy().copy() for value in self.raw()]
        means, log_scales, quats, logits, sh = arrays
        sh[:, (self.degree + 1) ** 2 :] = 0
        return Gaussians(means, log_scales, quats, logits, sh)


def new_head(
    points: NDArray[np.floating],
    poses: NDArray[np.floating],
    audio_dim: int,
    config: TrainConfig,
    device: str,
    colours: NDArray[np.floating] | None = None,
) -> Head:
    """An untrained head. points (P, 3): the head's surface, decimetres, of which `config.points`
    are drawn at random. poses (F, 12): of the training frames. colours (P, 3) in 0..1, grey
    if None."""
    rng = np.random.default_rng(config.seed)
    count = min(config.points, len(points))
    chosen = rng.permutation(len(points))[:count]
    means = torch.tensor(points[chosen], dtype=torch.float32)
    size = _spacing(points[chosen])
    dc = np.full((count, 3), 0.0) if colours is None else (colours[chosen] - 0.5) / C0
    canonical = {
        "means": means,
        "log_scales": torch.tensor(np.log(size), dtype=torch.float32)[:, None].repeat(1, 3),
        "quats": torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        "opacity_logits": torch.full((count,), float(np.log(OPACITY / (1 - OPACITY)))),
        "sh_dc": torch.tensor(dc, dtype=torch.float32)[:, None],
        "sh_rest": torch.zeros(count, SH_COEFFICIENTS - 1, 3),
    }
    kind = PAPER if config.arrangement == "paper" else EGSTALKER
    plan = NetworkPlan(
        kind, audio_dim, points.min(0), points.max(0), poses, config.resolution, config.agents,
        hidden=config.hidden, decoder=config.decoder, kan=config.kan, esaa=config.esaa,
        ppe=config.ppe, hashed=config.hash,
    )  # fmt: skip
    static = _static_layer(config) if KINDS[kind].decoder and config.static_init else None
    return Head(canonical, new_weights(plan, config.seed), static).to(device)


def _static_layer(config: TrainConfig) -> dict[str, Tensor]:
    """The weights of the static decoder; zeros, so that it changes nothing yet."""
    if config.kan:
        shapes = {
            "base_weight": (DECODED, DIM),
            "taylor_coeffs": (DECODED, DIM, 3),
            "bias": (DECODED,),
        }
    else:
        shapes = {"weight": (DECODED, DIM), "bias": (DECODED,)}
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def _spacing(points: NDArray[np.floating]) -> Float64:
    """(P,) root mean square distance to the three nearest neighbours."""
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(points).query(points, k=min(NEIGHBOURS + 1, len(points)))
    return np.sqrt(np.maximum((distance[:, 1:] ** 2).mean(axis=1), 1e-7))


def first_points(clip: TrainingClip, init: Path | None) -> Float64:
    """(P, 3) initial Gaussian centres: of the .ply if one is given (PlyError), else of the
    dataset."""
    return clip.points if init is None else read_ply(init).means.astype(np.float64)


def first_colours(clip: TrainingClip, points: Float64) -> Float64:
    """(P, 3) in 0..1: mean colour of the pixels that each point projects to. A point hidden behind
    another gets the other's colour, which training corrects."""
    rows = clip.train_rows
    some = rows[:: max(1, len(rows) // COLOUR_FRAMES)]
    total, seen = np.zeros((len(points), 3)), np.zeros((len(points), 1))
    for row in some:
        camera, frame = clip.camera(row), clip.frame(row)
        local = points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]
        z = np.maximum(local[:, 2], 1e-6)
        x = np.floor(camera.fx * local[:, 0] / z + camera.cx).astype(int)
        y = np.floor(camera.fy * local[:, 1] / z + camera.cy).astype(int)
        inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        inside[inside] &= frame.head[y[inside], x[inside]]
        total[inside] += frame.original[y[inside], x[inside]] / 255
        seen[inside] += 1
    mean = total.sum(0) / max(seen.sum(), 1)
    return np.where(seen > 0, total / np.maximum(seen, 1), mean)


def draw(
    raw: RawTensors, camera: Camera, degree: int, splat: Splatter, probe: Tensor | None = None
) -> Rendered:
    """Activate and rasterise one frame's raw values (N, ...). probe: see Splatter."""
    quats = F.normalize(raw.quats, dim=-1)
    splats = SplatTensors(
        raw.means, quats, raw.log_scales.exp(), raw.opacity_logits.sigmoid(), raw.sh
    )
    return splat(splats, camera, degree, probe)


def head_at(head: Head, field: Field, windows: Tensor, eyes: Tensor, poses: Tensor) -> RawTensors:
    """The raw values (N, ...) at one moment, without gradients. windows (1, 8, D, W), eyes (1,),
    poses (1, 12)."""
    with torch.no_grad():
        codes = head.network.encode_audio(windows)
        moved = head.network.moved(head.raw(), *field, codes, eyes, poses)
    return RawTensors(*(value[0] for value in moved))


def static_raw(head: Head, x: Tensor) -> RawTensors:
    """The one face of the first stage, from tri-plane features x (N, 64). "paper": a layer adds to
    all raw values of a Gaussian; "official": the coarse heads give opacity and harmonics
    (docs/method.md §3.3, §6)."""
    c = head.raw()
    if not head.is_paper:
        values = head.network.static_attributes(c.means)
        sh = values["shs"].reshape(len(c.means), SH_COEFFICIENTS, 3)
        return RawTensors(c.means, c.log_scales, c.quats, values["opacity"][:, 0], sh)
    p = {f"static.{name}": value for name, value in head.static.items()}
    dense = compiled_layers.kan_rows if compiled_layers.usable(p, "static", x) else layers.dense
    means, scales, quats, opacity, colour = dense(p, "static", x).split(
        [a.base for a in ATTRIBUTES], 1
    )
    return RawTensors(
        c.means + means,
        c.log_scales + scales,
        c.quats + quats,
        c.opacity_logits + opacity[:, 0],
        torch.cat([c.sh[:, :1] + colour[:, None], c.sh[:, 1:]], dim=1),
    )


def merge_static_decoder(head: Head) -> None:
    """End the first stage: add the static decoder's output to the Gaussians and remove it."""
    with torch.no_grad():
        raw = static_raw(head, head.network.features(head.canonical["means"]))
        values = (*raw[:4], raw.sh[:, :1], raw.sh[:, 1:])
        for name, value in zip(FIELDS, values, strict=True):
            head.canonical[name].copy_(value)
    head.static = nn.ParameterDict()


def order_agents(head: Head, count: int) -> None:
    """Move `count` Gaussians that are far apart to the front, where ESAA takes its agents."""
    if head.is_paper:
        means = head.canonical["means"].detach().cpu().numpy()
        reorder(head, farthest_first(means, count))


def reorder(head: Head, order: NDArray[np.int64]) -> None:
    """Put the Gaussians into this order. The first ones are the agents of ESAA."""
    index = torch.from_numpy(order).to(head.canonical["means"].device)
    with torch.no_grad():
        for name in FIELDS:
            head.canonical[name].copy_(head.canonical[name][index])


def farthest_first(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """An order of all points: first `count` by farthest point sampling (each is the farthest from
    those before it), then the rest in their old order."""
    count = min(count, len(points))
    chosen = [int(np.linalg.norm(points - points.mean(0), axis=1).argmin())]
    nearest = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count:
        nearest[chosen[-1]] = -1  # else it could be chosen twice, if all others coincide
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    rest = np.setdiff1d(np.arange(len(points)), chosen)
    return np.concatenate([np.array(chosen, np.int64), rest])
