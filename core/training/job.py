"""All settings of one training, in one record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .config import TrainConfig

STOP = "stop"  # a file of this name in the work folder stops the training


@dataclass(frozen=True)
class TrainJob:
    """dataset: folder. out: the .egs to write. work: folder of state, log and previews. device:
    "cpu" or "cuda". resume: continue from the state in `work`. rows: "train", or "all" to train on
    the held-out frames too, for an avatar that is not evaluated. init: a .ply whose points are the
    initial Gaussians. feature_files: .npy files of audio features that are not computed here.
    lpips: network weights of the perceptual loss, if it is used and its package is not installed.
    """

    dataset: Path
    out: Path
    work: Path
    config: TrainConfig
    device: str = "cpu"
    resume: bool = False
    rows: str = "train"
    init: Path | None = None
    feature_files: tuple[Path, ...] = ()
    lpips: Path | None = None
    name: str = ""
    licence: str = ""
