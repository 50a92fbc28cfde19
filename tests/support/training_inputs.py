"""A small dataset folder in the usual layout: a sphere that turns in front of a camera."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.records.camera import Camera, viewmat_from_track
from tests.support.sound_files import wav

SIDE = 32  # pixels
FOCAL = 110.0
TRAIN, VAL, MORE = 20, 4, 3
FRAMES = TRAIN + VAL + MORE
RADIUS = 0.7
RATE = 16000
HEAD, REST = (0, 0, 255), (255, 255, 255)


def poses(frames: int = FRAMES) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """euler and trans (F, 3) of the tracker."""
    phase = np.linspace(0, 6, frames)
    euler = np.stack([0.2 * np.sin(phase), 0.4 * np.cos(phase), 0.1 * np.sin(2 * phase)], 1)
    trans = np.stack([0.1 * np.sin(phase), 0.05 * np.cos(phase), -7.7 + 0 * phase], 1)
    return euler.astype(np.float32), trans.astype(np.float32)


def camera_of(row: int) -> Camera:
    euler, trans = poses()
    viewmat = viewmat_from_track(euler[row], trans[row])
    return Camera(viewmat, FOCAL, FOCAL, SIDE / 2, SIDE / 2, SIDE, SIDE)


def disc(row: int) -> NDArray[np.bool_]:
    """(H, W) where the sphere is seen."""
    camera = camera_of(row)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)], -1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    middle = camera.viewmat[:3, 3]
    near = np.linalg.norm(np.cross(rays, middle), axis=-1)
    return np.asarray(near < RADIUS)


def landmarks_of(row: int) -> NDArray[np.float64]:
    """(68, 2) in pixels; the lips (48-59) span 6 x 4 pixels around (16, 20)."""
    out = np.random.default_rng(row).uniform(8, 24, (68, 2)).round(3)
    out[48:60] = (16, 20)
    out[48], out[54], out[51], out[57] = (13, 20), (19, 20), (16, 18), (16, 22)
    return out


def make_clip(folder: Path, vertices: int | None = 1500) -> Path:
    """A whole dataset of FRAMES frames; vertices: of the mesh, None leaves it out."""
    rng = np.random.default_rng(3)
    for name in ("ori_imgs", "parsing", "torso_imgs"):
        (folder / name).mkdir(parents=True)
    Image.fromarray(picture(rng)).save(folder / "bc.jpg")
    for row in range(FRAMES):
        Image.fromarray(picture(rng)).save(folder / f"ori_imgs/{row}.jpg", quality=95)
        mask = np.where(disc(row)[..., None], HEAD, REST).astype(np.uint8)
        Image.fromarray(mask).save(folder / f"parsing/{row}.png")
        torso = np.concatenate([picture(rng), np.zeros((SIDE, SIDE, 1), np.uint8)], 2)
        torso[24:, :, 3] = 255
        torso[23, :, 3] = 100
        Image.fromarray(torso).save(folder / f"torso_imgs/{row}.png")
        write_landmarks(folder, row, landmarks_of(row))
    write_track(folder, vertices)
    ends = (0, TRAIN, TRAIN + VAL, FRAMES)
    for number, name in enumerate(("train", "val", "more")):
        write_split(folder, name, list(range(ends[number], ends[number + 1])))
    rows = "".join(f"{i}, {0.04 * i:.3f}, {0.07 * i:.3f}\n" for i in range(FRAMES))
    (folder / "au.csv").write_text("frame, timestamp, AU45_r\n" + rows)
    write_wav(folder / "aud.wav", noise((TRAIN + VAL) * RATE // 25))
    write_wav(folder / "aud_more.wav", noise(MORE * RATE // 25, seed=1))
    return folder


def picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    return rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def write_landmarks(folder: Path, row: int, points: NDArray[np.float64]) -> None:
    text = "".join(f"{x:f} {y:f}\n" for x, y in points)
    (folder / f"ori_imgs/{row}.lms").write_text(text)


def write_track(folder: Path, vertices: int | None = 1500, drop: tuple[int, ...] = ()) -> None:
    """track_params.pt of all frames but `drop`; the mesh is a sphere, a bit off in each frame."""
    euler, trans = (np.delete(values, drop, 0) for values in poses())
    content = {"euler": torch.tensor(euler), "trans": torch.tensor(trans)}
    if vertices is not None:
        content["vertices"] = torch.tensor(mesh(vertices, len(euler)))
    torch.save(content, folder / "track_params.pt")


def mesh(vertices: int, frames: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(vertices, 3))
    points *= RADIUS / np.linalg.norm(points, axis=1, keepdims=True)
    return (points + 0.01 * rng.normal(size=(frames, 1, 3))).astype(np.float32)


def write_split(folder: Path, name: str, rows: Sequence[object], **other: object) -> None:
    frames = [{"img_id": row, "aud_id": row} for row in rows]
    document = {"focal_len": FOCAL, "cx": SIDE / 2, "cy": SIDE / 2, "frames": frames, **other}
    (folder / f"transforms_{name}.json").write_text(json.dumps(document))


def cut(path: Path, left: float = 0.5) -> None:
    """A file of which only the beginning is there."""
    os.truncate(path, int(path.stat().st_size * left))


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def noise(samples: int, seed: int = 0) -> NDArray[np.int16]:
    """Sound with a slow beat, so that steps differ from one another."""
    beat = 1 + np.sin(np.arange(samples) / RATE * 40)
    return (4000 * beat * np.random.default_rng(seed).normal(size=samples)).astype(np.int16)


def write_wav(path: Path, samples: NDArray[np.int16], rate: int = RATE) -> None:
    path.write_bytes(wav(samples.astype("<i2").tobytes(), rate=rate))
