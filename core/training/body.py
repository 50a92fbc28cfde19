"""The trainable body: Gaussians that one camera sees, and those that stay as they were guessed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..dataset.clip import TrainingClip
from ..network.skinning import rigid_inverse
from ..network.torch.network import RawTensors
from ..network.torch.skinning import Motion, motion_arrays, skinned
from ..records.arrays import Float32, Float64
from ..records.body import Body
from ..records.gaussians import SH_COEFFICIENTS
from .batches import Batches
from .body_shape import BEHIND, scene_of
from .body_sway import body_motions
from .body_tiles import FirstBody, body_on

FIELDS = ("means", "log_scales", "quats", "opacity_logits", "colours", "weights")
EARS = (0, 16)  # landmarks of the jaw's ends
LOBES = (2, 14)  # at the height of the ear lobes


@dataclass(frozen=True, eq=False)
class BodyPlan:
    """first: the untrained body. viewmats (F, 4, 4): body's frame to camera, None if it stands
    still. rest (4, 4): at the still pose. top: row of the picture above which there is no body."""

    first: FirstBody
    viewmats: Float64 | None
    rest: Float64
    top: int

    def motion(self, clip: TrainingClip, row: int) -> Float64:
        """(4, 4) body's frame -> head's frame of that frame."""
        body = self.rest if self.viewmats is None else self.viewmats[row]
        return rigid_inverse(clip.viewmats[row]) @ body


def plan_body(batches: Batches, reference: int, count: int) -> BodyPlan | None:
    """None if the masks hold no torso. reference: the frame of the still pose. count: Gaussians."""
    clip, camera = batches.clip, batches.clip.camera(reference)
    points, marks = batches.landmark_points, clip.landmarks[reference]
    ears = np.median(clip.points, axis=0) if points is None else points[list(EARS)].mean(0)
    neck = camera.viewmat[:3, :3] @ (ears - (0, 0, BEHIND)) + camera.viewmat[:3, 3]
    lobes = float(marks[list(LOBES), 1].mean())
    scene = scene_of(
        clip.original(reference),
        clip.parsing(reference),
        clip.focal,
        float(neck[2]),
        lobes if np.isfinite(lobes) else None,
    )
    if scene is None:
        return None
    rows = np.array(sorted({*clip.train_rows, *clip.val_rows, *clip.more_rows}))
    motions = body_motions(clip, rows, reference, float(neck[2]))
    viewmats = None if motions is None else motions @ camera.viewmat
    top = int(np.flatnonzero(scene.body.any(1))[0])
    return BodyPlan(body_on(scene, camera, count), viewmats, camera.viewmat, top)


class TrainableBody(nn.Module):
    """The first rows are parameters, raw values as in records.body.Body; the others are those that
    no frame shows. A Gaussian that does not follow the head at first never does."""

    def __init__(self, first: FirstBody, device: str) -> None:
        super().__init__()
        for name in FIELDS:
            value = torch.tensor(getattr(first, name), dtype=torch.float32, device=device)
            setattr(self, name, nn.Parameter(value[: first.trained].clone()))
            self.register_buffer(f"unseen_{name}", value[first.trained :], persistent=False)
        self.register_buffer("guess", self.means.detach().clone(), persistent=False)
        self.register_buffer("follows", (self.weights > 0).float(), persistent=False)
        rays = torch.tensor(first.rays, dtype=torch.float32, device=device)
        spacing = torch.tensor(first.spacing, dtype=torch.float32, device=device)
        self.register_buffer("rays", rays, persistent=False)
        self.register_buffer("spacing", spacing, persistent=False)

    def all_rows(self, name: str) -> Tensor:
        """(M, ...) the values of a field, weights within 0..1."""
        value = getattr(self, name)
        if name == "weights":
            value = value.clamp(0, 1) * self.follows
        return torch.cat([value, getattr(self, f"unseen_{name}")])

    def raw(self, motion: Motion) -> RawTensors:
        """(M, ...) raw values in the head's frame of one frame."""
        rows = {name: self.all_rows(name) for name in FIELDS}
        quats = F.normalize(rows["quats"], dim=-1)
        means, quats = skinned(rows["means"], quats, rows["weights"], motion)
        sh = F.pad(rows["colours"][:, None], (0, 0, 0, SH_COEFFICIENTS - 1))
        return RawTensors(means[0], rows["log_scales"], quats[0], rows["opacity_logits"], sh)

    def move_unseen(self, centre: Float64, forward: Float64, by: Tensor, most: float) -> None:
        """Move what no frame shows away from a camera, and remove what would have to move farther
        than `most`. centre, forward (3,): of the camera, body's frame. by (H,): depth, decimetres.
        """
        rays = self.unseen_means - torch.from_numpy(centre).to(by)
        depth = rays @ torch.from_numpy(forward).to(by)
        self.unseen_means += rays * (by / depth)[:, None]
        for name in FIELDS:
            setattr(self, f"unseen_{name}", getattr(self, f"unseen_{name}")[by <= most])

    def away(self) -> Tensor:
        """Mean square distance from the guessed depth, in units of the distance to neighbours."""
        depth = ((self.means - self.guess) * self.rays).sum(1)
        return ((depth / self.spacing) ** 2).mean()

    def large(self) -> Tensor:
        """How much larger than their neighbours' distance the Gaussians are; a camera from the side
        sees large ones as smears."""
        size = self.log_scales.exp().amax(1) / self.spacing
        return F.relu(size - 1).mean()

    def to_record(self) -> Body:
        with torch.no_grad():
            arrays: list[Float32] = [self.all_rows(name).cpu().numpy().copy() for name in FIELDS]
        return Body(*arrays)


def motion_tensors(motion: Float64, device: str) -> Motion:
    points, turns = motion_arrays([motion])
    return torch.from_numpy(points).to(device), torch.from_numpy(turns).to(device)
