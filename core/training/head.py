"""The head in training: canonical Gaussians and the network, on one device."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..network.build import DIM, NetworkPlan, new_weights
from ..network.paper import WIDTH
from ..network.torch import layers
from ..network.torch.network import FirstAttention, RawTensors, TorchNetwork
from ..records.camera import Camera
from ..records.gaussians import C0, SH_COEFFICIENTS, Gaussians
from ..records.weights import EGSTALKER, PAPER, NetworkWeights
from .config import TrainConfig
from .rasterisers.record import Rendered, SplatTensors, Splatter

FIELDS = ("means", "log_scales", "quats", "opacity_logits", "sh_dc", "sh_rest")
OPACITY = 0.1  # of a new Gaussian
NEIGHBOURS = 3


class Head(nn.Module):
    """canonical: the six FIELDS, (N, ...), raw values as gaussians.Gaussians holds them, the
    spherical harmonics in two. static: the decoder of the first stage ("paper" alone)."""

    def __init__(
        self,
        canonical: dict[str, Tensor],
        weights: NetworkWeights,
        static: dict[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.canonical = nn.ParameterDict({name: canonical[name] for name in FIELDS})
        self.static = nn.ParameterDict(static or {})
        self.network = TorchNetwork(weights)
        self.degree = 0
        self.is_paper = weights.kind == PAPER

    def __len__(self) -> int:
        return len(self.canonical["means"])

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Parameters by name, as `named_parameters` gives them; Gaussians may be more or fewer."""
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
        """What the network sees of the Gaussians, and of `points` (P, 3) after them."""
        means = self.canonical["means"]
        x = self.network.features(means if points is None else torch.cat([means, points]))
        return x, self.network.first_attention(x)

    def gaussians(self) -> Gaussians:
        """Coefficients of degrees that were never trained are zero."""
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
    """points (P, 3): the head's surface; as many of them as the configuration says are taken.
    colours (P, 3) in 0..1."""
    rng = np.random.default_rng(config.seed)
    count = min(config.points, len(points))
    chosen = rng.permutation(len(points))[:count]
    means = torch.tensor(points[chosen], dtype=torch.float32)
    spread = _spacing(points[chosen])
    dc = np.full((count, 3), 0.0) if colours is None else (colours[chosen] - 0.5) / C0
    canonical = {
        "means": means,
        "log_scales": torch.tensor(np.log(spread), dtype=torch.float32)[:, None].repeat(1, 3),
        "quats": torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        "opacity_logits": torch.full((count,), float(np.log(OPACITY / (1 - OPACITY)))),
        "sh_dc": torch.tensor(dc, dtype=torch.float32)[:, None],
        "sh_rest": torch.zeros(count, SH_COEFFICIENTS - 1, 3),
    }
    kind = PAPER if config.arrangement == "paper" else EGSTALKER
    plan = NetworkPlan(
        kind, audio_dim, points.min(0), points.max(0), poses, config.resolution, config.agents,
        hidden=config.hidden, decoder=config.decoder, kan=config.kan, esaa=config.esaa,
        ppe=config.ppe,
    )  # fmt: skip
    static = _static_layer(config) if kind == PAPER and config.static_init else None
    return Head(canonical, new_weights(plan, config.seed), static).to(device)


def _static_layer(config: TrainConfig) -> dict[str, Tensor]:
    """The static decoder, which moves nothing yet."""
    if config.kan:
        shapes = {"base_weight": (WIDTH, DIM), "taylor_coeffs": (WIDTH, DIM, 3), "bias": (WIDTH,)}
    else:
        shapes = {"weight": (WIDTH, DIM), "bias": (WIDTH,)}
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def _spacing(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(P,) root mean square distance to the nearest neighbours."""
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(points).query(points, k=min(NEIGHBOURS + 1, len(points)))
    return np.sqrt(np.maximum((distance[:, 1:] ** 2).mean(axis=1), 1e-7))


def draw(
    raw: RawTensors, camera: Camera, degree: int, splat: Splatter, probe: Tensor | None = None
) -> Rendered:
    """One frame's raw values (N, ...), activated and drawn."""
    quats = F.normalize(raw.quats, dim=-1)
    splats = SplatTensors(
        raw.means, quats, raw.log_scales.exp(), raw.opacity_logits.sigmoid(), raw.sh
    )
    return splat(splats, camera, degree, probe)


def static_raw(head: Head, x: Tensor) -> RawTensors:
    """The first stage: one still face from the tri-plane's x (N, 64). "paper": a layer moves all of
    a Gaussian's values; "official": opacity and harmonics come from the coarse heads alone
    (docs/method.md §3.3, §6)."""
    c = head.raw()
    if not head.is_paper:
        values = head.network.static_attributes(c.means)
        sh = values["shs"].reshape(len(c.means), SH_COEFFICIENTS, 3)
        return RawTensors(c.means, c.log_scales, c.quats, values["opacity"][:, 0], sh)
    p = {f"static.{name}": value for name, value in head.static.items()}
    means, scales, quats, opacity, colour = layers.dense(p, "static", x).split([3, 3, 4, 1, 3], 1)
    return RawTensors(
        c.means + means,
        c.log_scales + scales,
        c.quats + quats,
        c.opacity_logits + opacity[:, 0],
        torch.cat([c.sh[:, :1] + colour[:, None], c.sh[:, 1:]], dim=1),
    )


def settle(head: Head) -> None:
    """The end of the first stage: what the static decoder adds becomes the Gaussians' own."""
    with torch.no_grad():
        raw = static_raw(head, head.network.features(head.canonical["means"]))
        values = (*raw[:4], raw.sh[:, :1], raw.sh[:, 1:])
        for name, value in zip(FIELDS, values, strict=True):
            head.canonical[name].copy_(value)
    head.static = nn.ParameterDict()


def reorder(head: Head, order: NDArray[np.int64]) -> None:
    """The Gaussians in another order. ESAA's agents are the first ones."""
    index = torch.from_numpy(order).to(head.canonical["means"].device)
    with torch.no_grad():
        for name in FIELDS:
            head.canonical[name].copy_(head.canonical[name][index])


def farthest_first(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """An order of all points: first `count` that lie far from each other (each is the farthest from
    those before it), then the rest as they were."""
    count = min(count, len(points))
    chosen = [int(np.linalg.norm(points - points.mean(0), axis=1).argmin())]
    nearest = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < count:
        nearest[chosen[-1]] = -1  # or where all the others coincide, it would come again
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    rest = np.setdiff1d(np.arange(len(points)), chosen)
    return np.concatenate([np.array(chosen, np.int64), rest])
