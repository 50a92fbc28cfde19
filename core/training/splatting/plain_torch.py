"""The slow, readable twin: the official rules in plain torch, whose autograd is the truth that the
fast derivatives are held to. Every Gaussian against every pixel: for small scenes."""

from __future__ import annotations

import torch
from torch import Tensor

from ...camera import Camera
from ...render.projection import DEPTH_GUARD, MIN_SPREAD, clamp_limits, grid
from ...render.rasteriser import DILATION, MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, NEAR, TILE
from ...render.sh import terms
from .record import Rendered, check


def splat(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    sh_degree: int,
    probe: Tensor | None = None,
) -> Rendered:
    """A `Splatter`; also takes float64, and then works in it."""
    check(means, quats, scales, opacities, sh, sh_degree, probe)

    def constant(values: object) -> Tensor:
        return torch.as_tensor(values, dtype=means.dtype, device=means.device)

    rotation, translation = constant(camera.viewmat[:3, :3]), constant(camera.viewmat[:3, 3])
    points = means @ rotation.T + translation
    # What is not drawn never meets the divisions below: NaN times 0 would reach its gradient.
    kept = torch.nonzero((points[:, 2] > NEAR) & (opacities >= MIN_ALPHA))[:, 0]
    kept = kept[torch.argsort(points[kept, 2].float(), stable=True)]
    x, y, z = points[kept].unbind(-1)
    lens = constant([camera.fx, camera.fy])
    left, right, top, bottom = clamp_limits(camera)
    nothing = torch.zeros_like(z)
    slope_x, slope_y = (x / z).clamp(left, right), (y / z).clamp(top, bottom)
    jacobian = torch.stack(
        [
            torch.stack([camera.fx / z, nothing, -camera.fx * slope_x / z], dim=-1),
            torch.stack([nothing, camera.fy / z, -camera.fy * slope_y / z], dim=-1),
        ],
        dim=-2,
    )
    axes = rotations(quats[kept]) * scales[kept][:, None, :]
    flat = jacobian @ rotation @ axes  # (M, 2, 3)
    covariance = flat @ flat.mT + DILATION * torch.eye(2, dtype=means.dtype, device=means.device)
    conic = torch.linalg.inv(covariance)
    centres = torch.stack([x, y], -1) * lens / (z + DEPTH_GUARD)[:, None]
    centres = centres + constant([camera.cx, camera.cy])
    if probe is not None:
        centres = centres + probe[kept]
    radius, rects = _extent(centres.detach(), covariance.detach(), camera)

    directions = torch.nn.functional.normalize(means[kept] - constant(camera.centre), dim=-1)
    basis = torch.stack(terms(*directions.unbind(-1), sh_degree), dim=-1)
    colours = torch.einsum("nk,nkc->nc", basis, sh[kept][:, : basis.shape[1]]) + 0.5
    colours = colours.clamp(min=0)

    columns = constant(range(camera.width))
    rows = constant(range(camera.height))[:, None]
    colour = means.new_zeros(camera.height, camera.width, 3)
    transmittance = means.new_ones(camera.height, camera.width)
    done = torch.zeros_like(transmittance, dtype=torch.bool)
    for k in range(len(kept)):
        x0, y0, x1, y1 = (rects[k] * TILE).tolist()
        inside = (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1)
        dx, dy = centres[k, 0] - (columns + 0.5), centres[k, 1] - (rows + 0.5)
        (a, b), (_, c) = conic[k]
        power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
        alpha = (opacities[kept[k]] * torch.exp(power)).clamp(max=MAX_ALPHA)
        touched = inside & (power <= 0) & (alpha >= MIN_ALPHA) & ~done
        after = transmittance * (1 - alpha)
        drawn = touched & (after >= MIN_TRANSMITTANCE)
        done = done | (touched & ~drawn)
        weight = torch.where(drawn, alpha * transmittance, 0)
        colour = colour + weight[..., None] * colours[k]
        transmittance = torch.where(drawn, after, transmittance)

    radii = torch.zeros(len(means), device=means.device)
    radii[kept] = radius.float()
    return Rendered(colour, 1 - transmittance, radii)


def rotations(quats: Tensor) -> Tensor:
    """(N, 4) unit quaternions w, x, y, z -> (N, 3, 3), as projection.rotations."""
    w, x, y, z = quats.unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _extent(centres: Tensor, covariance: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Radius (M,) in pixels, 0 where the picture is missed, and tiles x0, y0, x1, y1 (M, 4)."""
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    middle, determinant = (a + c) / 2, a * c - b * b
    longest = middle + (middle * middle - determinant).clamp(min=MIN_SPREAD).sqrt()
    radius = torch.ceil(3 * longest.sqrt())
    whole = (determinant > 0) & radius.isfinite() & centres.isfinite().all(dim=1)
    most = torch.tensor(grid(camera), device=centres.device)
    # The official rule counts from pixel 0.
    start = torch.floor((centres - 0.5 - radius[:, None]) / TILE)
    end = torch.floor((centres - 0.5 + radius[:, None] + (TILE - 1)) / TILE)
    rects = torch.cat([start, end], dim=1).nan_to_num(0, 0, 0)
    rects = torch.minimum(rects.clamp(min=0), torch.cat([most, most])).long()
    seen = whole & (rects[:, 0] < rects[:, 2]) & (rects[:, 1] < rects[:, 3])
    return torch.where(seen, radius, 0), torch.where(seen[:, None], rects, 0)
