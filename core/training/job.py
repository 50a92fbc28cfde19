"""One training, gathered into a record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .config import TrainConfig

STOP = "stop"  # a file of this name in the work folder ends the training


@dataclass(frozen=True)
class TrainJob:
    """dataset: folder. out: the .egs to write. work: folder of state, log and previews. device:
    "cpu" or "cuda". resume: go on with the state in `work`. rows: "train", or "all" frames, the
    held-out ones too, for an avatar that is not compared. init: a .ply whose points are the first
    Gaussians. feature_files: .npy files of features that are not computed here. lpips: weights
    of the perceptual loss, where it has any weight and the package is not installed."""

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
