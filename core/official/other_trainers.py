"""Output of other trainers, recognised by the names in it, so that a refusal can say what it is and
which of its files is a still head."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GAUSSIANS = "it has Gaussians and no network that listens"
FIELD = "it draws a radiance field, not Gaussians, so nothing of it can be converted"
OWN = "its network is another one, so only its Gaussians can be converted"
CLOUDS = "point_cloud/iteration_*"


@dataclass(frozen=True)
class Trainer:
    """signs: patterns of which one is in the output folder. stills: patterns of files whose
    Gaussians can be converted, best first."""

    name: str
    what: str
    signs: tuple[str, ...]
    stills: tuple[str, ...] = ()


# The first with a sign counts.
TRAINERS = (
    Trainer("RAD-NeRF, ER-NeRF or SyncTalk", FIELD, ("checkpoints/ngp*.pth", "ngp*.pth")),
    Trainer("GeneFace", FIELD, ("model_ckpt_steps_*.ckpt",)),
    Trainer("AD-NeRF", FIELD, ("*_head.tar", "*_body.tar")),
    Trainer(
        "TalkingGaussian or InsTaG",
        OWN,
        ("chkpnt_face_*.pth", "chkpnt_fuse_*.pth", "chkpnt_mouth_*.pth"),
        (f"{CLOUDS}/point_cloud.ply",),
    ),
    Trainer(
        "Scaffold-GS",
        "its networks make other Gaussians for each view, so nothing of it can be converted",
        tuple(f"{CLOUDS}/{name}" for name in ("*_mlp.pt", "checkpoints.pth")),
    ),
    Trainer(
        "GaussianAvatars",
        "its Gaussians hang on a FLAME mesh, so nothing of it can be converted",
        (f"{CLOUDS}/flame_param.npz",),
    ),
    Trainer(
        "Deformable 3D Gaussians",
        GAUSSIANS,
        ("deform/iteration_*/deform.pth",),
        (f"{CLOUDS}/point_cloud.ply",),
    ),
    Trainer(
        "SuGaR",
        GAUSSIANS,
        ("refined_ply", "refined_mesh", "coarse_mesh"),
        ("refined_ply/*.ply", "refined_ply/*/*.ply"),
    ),
    Trainer(
        "nerfstudio",
        GAUSSIANS,
        ("nerfstudio_models/step-*.ckpt",),
        ("exports/*/*.ply", "nerfstudio_models/step-*.ckpt"),
    ),
    Trainer("gsplat", GAUSSIANS, ("ckpts/ckpt_*.pt",), ("ply/*.ply", "ckpts/ckpt_*.pt")),
)

# Beginning of a tensor's name -> what holds it.
STATES = (
    ("sigma_net.", f"is of RAD-NeRF, ER-NeRF or SyncTalk: {FIELD}"),
    ("encoder_xy.", f"is of TalkingGaussian or InsTaG: {OWN}"),
    ("face_encoder_blocks.", "is of Wav2Lip, which changes pictures and has no Gaussians"),
    ("grid.grids.", "is of 4D Gaussians, which move with the time and not with speech"),
    ("deformation_net.grid.", "is of 4D Gaussians, which move with the time and not with speech"),
    ("param_groups", "is the state of an optimiser; give the model's"),
)


def other_trainer(folder: Path) -> str:
    """What follows the name of another trainer's output folder in a message; empty for none."""
    for trainer in TRAINERS:
        if any(_newest(folder, sign) for sign in trainer.signs):
            text = f"is of {trainer.name}: {trainer.what}"
            for pattern in trainer.stills:
                if still := _newest(folder, pattern):
                    return f"{text}; for a still head give {still}"
            return text
    return ""


def named_state(state: Mapping[str, Any]) -> str:
    """The same for the tensors of a file."""
    for start, text in STATES:
        if any(name.startswith(start) for name in state):
            return text
    return ""


def _newest(folder: Path, pattern: str) -> Path | None:
    """Of the files that match, the one with the largest numbers in its name."""
    try:
        found = list(folder.glob(pattern))
    except OSError:
        return None

    def numbers(path: Path) -> tuple[list[int], str]:
        text = path.relative_to(folder).as_posix()
        return [int(digits) for digits in re.findall(r"\d{1,12}", text)], text

    return max(found, key=numbers, default=None)
