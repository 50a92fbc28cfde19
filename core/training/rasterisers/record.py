"""The interface between the differentiable rasterisers and the trainer."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ...errors import ArgumentError
from ...records.camera import Camera

Tensor = Any  # torch's, without torch


class Rendered(NamedTuple):
    """colour (H, W, 3) sRGB-encoded and premultiplied, BEFORE any background; alpha (H, W) in 0..1;
    radii (N,) pixels, three standard deviations rounded up, 0 if not drawn, no gradient.
    float32 on the device of the inputs. The picture is colour + (1 - alpha) * background."""

    colour: Tensor
    alpha: Tensor
    radii: Tensor


class SplatTensors(NamedTuple):
    """N activated Gaussians, float32 on one device. means (N, 3) decimetres; quats (N, 4) w, x, y,
    z of unit length; scales (N, 3) decimetres, > 0; opacities (N,) in 0..1; sh (N, K, 3) with
    K >= (sh_degree + 1)^2."""

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    sh: Tensor


class Splatter(Protocol):
    def __call__(
        self,
        splats: SplatTensors,
        camera: Camera,
        sh_degree: int,
        probe: Tensor | None = None,
    ) -> Rendered:
        """By the rules of docs/method.md §3.11. sh_degree: 0..3. probe (N, 2), zeros: receives the
        gradient of the projected centres, per pixel. The gradient of a quaternion along itself is
        not defined (gsplat's is 0; normalising beforehand makes it 0 for all)."""
        ...


def check(splats: SplatTensors, sh_degree: int, probe: Tensor | None) -> None:
    """Raises ArgumentError for a degree outside 0..3, or a tensor of another shape or kind."""
    if sh_degree not in (0, 1, 2, 3):
        raise ArgumentError(f"spherical harmonics degree {sh_degree} is not 0, 1, 2 or 3")
    means, sh = splats.means, splats.sh
    count, terms = len(means), (sh_degree + 1) ** 2
    if sh.ndim != 3 or sh.shape[1] < terms:
        raise ArgumentError(
            f"sh has shape {tuple(sh.shape)}; degree {sh_degree} needs {terms} coefficients a row"
        )
    shapes = {
        "means": (means, (count, 3)),
        "quats": (splats.quats, (count, 4)),
        "scales": (splats.scales, (count, 3)),
        "opacities": (splats.opacities, (count,)),
        "sh": (sh, (count, sh.shape[1], 3)),
        "probe": (probe, (count, 2)),
    }
    for name, (tensor, shape) in shapes.items():
        if tensor is None:
            continue
        if tuple(tensor.shape) != shape:
            raise ArgumentError(f"{name} has shape {tuple(tensor.shape)}, not {shape}")
        if tensor.dtype != means.dtype or tensor.device != means.device:
            raise ArgumentError(
                f"{name} is {tensor.dtype} on {tensor.device}, means {means.dtype} on"
                f" {means.device}; they must agree"
            )
