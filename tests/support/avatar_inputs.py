"""Small avatars, output folders and datasets as the trainers write them, for import tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.avatar.framing import head_camera
from core.formats.ply_writer import write_ply
from core.records.avatar import Avatar, Background, Track
from core.records.camera import Camera
from core.records.feature_spec import FeatureSpec
from core.records.weights import EGSTALKER, NetworkWeights
from tests.support.synthetic import random_avatar, random_gaussians

SIDE = 24  # pixels of the small datasets
FRAMES = 6


def small_camera() -> Camera:
    return Camera(head_camera().viewmat, 60.5, 60.5, SIDE / 2, SIDE / 2, SIDE, SIDE)


def small_avatar(n: int = 40, network: bool = True, seed: int = 0) -> Avatar:
    """Every optional part present; without `network` a still."""
    rng = np.random.default_rng(seed)
    weights, gaussians = random_avatar(n, seed=seed, resolution=4)
    track = Track(
        np.repeat(head_camera().viewmat[None].astype(np.float32), FRAMES, 0), rng.random(FRAMES)
    )
    mean, std = rng.normal(size=29), 1 + rng.random(29)
    spec = FeatureSpec(
        "log-mel",
        29,
        parameters={"sample_rate": 16000, "log_epsilon": 1e-5},
        normalisation="fixed",
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
    )
    return Avatar(
        name="Mäx",
        gaussians=gaussians,
        camera=small_camera(),
        network=weights if network else None,
        features=spec if network else None,
        background=Background(
            rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8),
            rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8),
        ),
        track=track,
        licence="CC BY 4.0",
        provenance={"source": "a test"},
        landmarks=rng.normal(size=(68, 3)).astype(np.float32),
    )


def state_dict(weights: NetworkWeights) -> dict[str, torch.Tensor]:
    """As the official file holds it: prefixed names, buffers and unused tensors."""
    table = {f"deformation_net.{k}": torch.from_numpy(v) for k, v in weights.arrays.items()}
    table["pos_poc"] = torch.ones(10)
    unused = "deformation_net.transformer.layers.0.enc_dec_attention.attention_proj_layer.weight"
    table[unused] = torch.zeros(64, 150)
    return table


def make_checkpoint(
    folder: Path, kind: str = EGSTALKER, iterations: tuple[int, ...] = (7,), cfg: str | None = None
) -> Path:
    """An output folder; every iteration N has its own N-dependent Gaussians."""
    weights, _ = random_avatar(kind=kind, resolution=4)
    for number in iterations:
        where = folder / "point_cloud" / f"iteration_{number}"
        where.mkdir(parents=True)
        write_ply(random_gaussians(20, seed=number), where / "point_cloud.ply")
        torch.save(state_dict(weights), where / "deformation.pth")
    if cfg is not None:
        (folder / "cfg_args").write_text(cfg)
    return folder


def make_dataset(folder: Path, torsos: tuple[int, ...] = (2, 10)) -> Path:
    """Camera, background, torso, track and eyes of FRAMES frames."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    (folder / "transforms_train.json").write_text(
        json.dumps({"focal_len": 60.5, "cx": SIDE / 2, "cy": SIDE / 2, "frames": []})
    )
    pixels = rng.integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    Image.fromarray(pixels[..., :3]).save(folder / "bc.jpg")
    (folder / "torso_imgs").mkdir()
    for index, number in enumerate(torsos):
        Image.fromarray(pixels ^ np.uint8(index)).save(folder / f"torso_imgs/{number}.png")
    euler = 0.1 * rng.normal(size=(FRAMES, 3))
    trans = (0.05, -0.05, -7.7) + 0.05 * rng.normal(size=(FRAMES, 3))
    torch.save(
        {"euler": torch.tensor(euler).float(), "trans": torch.tensor(trans).float()},
        folder / "track_params.pt",
    )
    rows = "".join(f"{i}, {0.04 * i:.3f}, {0.7 * i:.3f}\n" for i in range(FRAMES + 2))
    (folder / "au.csv").write_text("frame, timestamp, AU45_r\n" + rows)
    return folder


def make_mel_stats(path: Path, bands: int = 29) -> Path:
    np.savez(path, mean=np.arange(bands, dtype=np.float32), std=np.ones(bands, np.float32), fmin=50)
    return path
