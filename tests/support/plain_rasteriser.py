"""The slow, readable twin: the official rules in plain torch. Its autograd is the truth for the
fast derivatives. Every Gaussian against every pixel: for small scenes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from core.records.camera import Camera
from core.render.projection import DEPTH_GUARD, MIN_SPREAD, clamp_limits, grid, rotation_rows
from core.render.rasteriser import DILATION, MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, NEAR, TILE
from core.render.sh import terms
from core.training.rasterisers.record import Rendered, SplatTensors, check


class Ellipses(NamedTuple):
    """What of the Gaussians is drawn at all, M of them, nearest first. index (M,) into the inputs;
    centres (M, 2) pixels; conics (M, 2, 2), inverse covariances per square pixel; opacities (M,);
    colours (M, 3); radii (M,) pixels; rects (M, 4) tiles x0, y0, x1, y1, ends excluded."""

    index: Tensor
    centres: Tensor
    conics: Tensor
    opacities: Tensor
    colours: Tensor
    radii: Tensor
    rects: Tensor


def splat(
    splats: SplatTensors, camera: Camera, sh_degree: int, probe: Tensor | None = None
) -> Rendered:
    """A `Splatter`; also takes float64, and then works in it. The probe does move the centres."""
    check(splats, sh_degree, probe)
    means = splats.means
    ellipses = _project(*splats, camera, sh_degree, probe)
    colour, transmittance = _blend(ellipses, camera)
    radii = torch.zeros(len(means), device=means.device)
    radii[ellipses.index] = ellipses.radii.float()
    return Rendered(colour, 1 - transmittance, radii)


def _project(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    sh_degree: int,
    probe: Tensor | None,
) -> Ellipses:
    rotation = means.new_tensor(camera.viewmat[:3, :3])
    points = means @ rotation.T + means.new_tensor(camera.viewmat[:3, 3])
    # What is not drawn never meets the divisions below: NaN times 0 would reach its gradient.
    index = torch.nonzero((points[:, 2] > NEAR) & (opacities >= MIN_ALPHA))[:, 0]
    index = index[torch.argsort(points[index, 2].detach().float(), stable=True)]
    x, y, z = points[index].unbind(-1)
    left, right, top, bottom = clamp_limits(camera)
    slope_x, slope_y = (x / z).clamp(left, right), (y / z).clamp(top, bottom)
    nothing = torch.zeros_like(z)
    in_x = torch.stack([camera.fx / z, nothing, -camera.fx * slope_x / z], dim=-1)
    in_y = torch.stack([nothing, camera.fy / z, -camera.fy * slope_y / z], dim=-1)
    axes = rotations(quats[index]) * scales[index][:, None, :]
    flat = torch.stack([in_x, in_y], dim=-2) @ rotation @ axes  # (M, 2, 3)
    covariances = flat @ flat.mT + DILATION * torch.eye(2).to(means)

    depth = z + DEPTH_GUARD
    centres = [camera.fx * x / depth + camera.cx, camera.fy * y / depth + camera.cy]
    middle = torch.stack(centres, dim=-1)
    if probe is not None:
        middle = middle + probe[index]

    directions = torch.nn.functional.normalize(
        means[index] - means.new_tensor(camera.centre), dim=-1
    )
    along_x, along_y, along_z = directions.unbind(-1)
    basis = torch.stack(terms(along_x, along_y, along_z, sh_degree), dim=-1)
    colours = torch.einsum("nk,nkc->nc", basis, sh[index][:, : basis.shape[1]]) + 0.5
    radii, rects = _extent(middle.detach(), covariances.detach(), camera)
    conics = torch.linalg.inv(covariances)
    return Ellipses(index, middle, conics, opacities[index], colours.clamp(min=0), radii, rects)


def _blend(ellipses: Ellipses, camera: Camera) -> tuple[Tensor, Tensor]:
    """colour (H, W, 3) and transmittance (H, W)."""
    zero = ellipses.centres.new_zeros(())
    x = torch.arange(camera.width).to(zero) + 0.5
    y = torch.arange(camera.height).to(zero)[:, None] + 0.5
    colour = zero.expand(camera.height, camera.width, 3)
    transmittance = 1 + zero.expand(camera.height, camera.width)
    done = transmittance < 0
    for k in range(len(ellipses.index)):
        x0, y0, x1, y1 = (ellipses.rects[k] * TILE).tolist()
        inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
        dx, dy = ellipses.centres[k, 0] - x, ellipses.centres[k, 1] - y
        (a, b), (_, c) = ellipses.conics[k]
        power = -0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy
        alpha = (ellipses.opacities[k] * torch.exp(power)).clamp(max=MAX_ALPHA)
        touched = inside & (power <= 0) & (alpha >= MIN_ALPHA) & ~done
        after = transmittance * (1 - alpha)
        drawn = touched & (after >= MIN_TRANSMITTANCE)
        done = done | (touched & ~drawn)
        weight = torch.where(drawn, alpha * transmittance, zero)
        colour = colour + weight[..., None] * ellipses.colours[k]
        transmittance = torch.where(drawn, after, transmittance)
    return colour, transmittance


def rotations(quats: Tensor) -> Tensor:
    """(N, 4) unit quaternions w, x, y, z -> (N, 3, 3), as projection.rotations."""
    rows = rotation_rows(*quats.unbind(-1))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _extent(centres: Tensor, covariance: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Radius (M,) in pixels, 0 where the picture is missed, and tiles x0, y0, x1, y1 (M, 4)."""
    a, b, c = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    middle, determinant = (a + c) / 2, a * c - b * b
    longest = middle + (middle * middle - determinant).clamp(min=MIN_SPREAD).sqrt()
    radius = torch.ceil(3 * longest.sqrt())
    whole = (determinant > 0) & radius.isfinite() & centres.isfinite().all(dim=1)
    most = torch.tensor(grid(camera)).to(centres)
    # The official rule counts from pixel 0.
    start = torch.floor((centres - 0.5 - radius[:, None]) / TILE)
    end = torch.floor((centres - 0.5 + radius[:, None] + (TILE - 1)) / TILE)
    rects = torch.cat([start, end], dim=1).nan_to_num(0, 0, 0)
    rects = torch.minimum(rects.clamp(min=0), torch.cat([most, most])).long()
    seen = whole & (rects[:, 0] < rects[:, 2]) & (rects[:, 1] < rects[:, 3])
    return torch.where(seen, radius, 0), torch.where(seen[:, None], rects, 0)
