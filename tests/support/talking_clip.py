"""A dataset rendered from a small avatar, so that the results of its evaluation are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.audio.features import track_for
from core.avatar.file import load_avatar, save_avatar
from core.bake.backends import Backend, choose_backend
from core.dataset.features import choose_features
from core.evaluation.landmarks import projected
from core.network.deformer import Deformer, splats_at
from core.records.avatar import Avatar
from core.records.camera import Camera, pose_vector, viewmat_from_track
from core.records.gaussians import Gaussians, Splats, activate
from core.records.moment import Moment
from tests.support import training_inputs as inputs
from tests.support.synthetic import random_avatar, random_gaussians

SIDE, FOCAL = 64, 220.0
TRAIN, VAL = 60, 20
FRAMES = TRAIN + VAL
EACH = 4  # Gaussians of a landmark
DROP, BLINK = 0.10, 0.06  # decimetres that the lower lip falls, the upper lids
# Where the 68 landmarks lie in the head's frame: rings around mouth and eyes, the rest on the face.
CENTRES = {range(48, 68): (0, -0.35), range(36, 42): (-0.28, 0.25), range(42, 48): (0.28, 0.25)}


LOWER = [n for n in range(48, 68) if n in (55, 56, 57, 58, 59, 65, 66, 67)]
LIDS = [37, 38, 43, 44]


def acting_avatar(path: Path, seed: int = 4) -> Avatar:
    """Written to `path` and read again: a skull, and before it four Gaussians a landmark, the last
    of all. Its features are log-mel bands; its own network moves it a little, `Acting` as a face
    moves."""
    network, skull = random_avatar(700, agents=40, seed=seed)
    face = random_gaussians(68 * EACH, seed=seed + 1)
    rng = np.random.default_rng(seed)
    means = np.repeat(places(), EACH, 0) + 0.01 * rng.normal(size=(68 * EACH, 3))
    sh = face.sh * np.float32(0.1)
    sh[:, 0] = np.where(np.isin(np.arange(68 * EACH) // EACH, LOWER)[:, None], (1.5, -1, -1), -1)
    small = np.full_like(face.log_scales, np.log(0.03))
    solid = np.full_like(face.opacity_logits, 4)
    values = zip(
        (skull.means, skull.log_scales, skull.quats, skull.opacity_logits, skull.sh),
        (means, small, face.quats, solid, sh),
        strict=True,
    )
    gaussians = Gaussians(*(np.concatenate(pair).astype(np.float32) for pair in values))
    avatar = Avatar(
        name="acting",
        gaussians=gaussians,
        camera=Camera(np.eye(4), FOCAL, FOCAL, SIDE / 2, SIDE / 2, SIDE, SIDE),
        network=network,
        features=choose_features("log-mel", 29),
    )
    save_avatar(avatar, path)
    return load_avatar(path)


class Acting(Deformer):
    """A deformer that is known: the lower lip falls with the loudness of the middle window, and the
    upper lids with the eyes. late: rows that the lips come late; still: they do not care."""

    def __init__(self, avatar: Avatar, late: int = 0, still: bool = False) -> None:
        self._canonical = activate(avatar.gaussians)
        self._late, self._still = late, still

    def encode_audio(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        code = np.zeros(32, np.float32)
        code[0] = 0 if self._still else 0.5 + 0.5 * np.tanh(windows[4 - self._late, :, 7:9].mean())
        return code

    def deform(
        self, code: NDArray[np.float32], eye: float, pose: NDArray[np.float32], strength: float
    ) -> Splats:
        means = self._canonical.means.copy()
        face = means[-68 * EACH :].reshape(68, EACH, 3)
        face[LOWER, :, 1] -= DROP * code[0]
        face[LIDS, :, 1] -= BLINK * eye
        return replace(self._canonical, means=means)


def acting(late: int = 0, still: bool = False) -> Backend:
    """A backend that draws by numpy and moves the face as `Acting` does."""
    return replace(choose_backend("numpy"), prepare=lambda avatar: Acting(avatar, late, still))


def acted_clip(folder: Path, avatar: Avatar, backend: Backend) -> Path:
    """60 frames to train on and 20 held out: pictures, masks and landmarks as the avatar does them
    with that backend, hearing the whole sound. Pictures are PNG, so that they are exact."""
    rng = np.random.default_rng(8)
    for name in ("ori_imgs", "parsing"):
        (folder / name).mkdir(parents=True)
    euler, trans = inputs.poses(FRAMES)
    inputs.torch.save(
        {
            "euler": inputs.torch.tensor(euler),
            "trans": inputs.torch.tensor(trans),
            "vertices": inputs.torch.tensor(inputs.mesh(1500, FRAMES)),
        },
        folder / "track_params.pt",
    )
    write_splits(folder)
    eyes = rng.random(FRAMES)[np.arange(FRAMES) // 4 * 4]  # the lids rest in between
    rows = "".join(f"{i}, {2 * value:.6f}\n" for i, value in enumerate(eyes))
    (folder / "au.csv").write_text("frame, AU45_r\n" + rows)
    inputs.write_wav(folder / "aud.wav", babble(FRAMES))
    background = np.full((SIDE, SIDE, 3), (120, 130, 140), np.uint8)
    Image.fromarray(background).save(folder / "bc.jpg", quality=95)
    background = np.array(Image.open(folder / "bc.jpg")).astype(np.float32) / 255

    deformer = backend.prepare(avatar)
    assert avatar.features is not None
    track = track_for(avatar, folder / "aud.wav")
    for row in range(FRAMES):
        viewmat = viewmat_from_track(euler[row], trans[row])
        camera = Camera(viewmat, FOCAL, FOCAL, SIDE / 2, SIDE / 2, SIDE, SIDE)
        eye = round(2 * eyes[row], 6) / 2
        moment = Moment(row / 25, eye, pose_vector(viewmat.astype(np.float32)))
        splats = splats_at(deformer, track, moment)
        image = backend.rasterise(splats, camera, background)
        alpha = backend.rasterise(splats, camera)[..., 3]
        pixels = (np.clip(image[..., :3], 0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"ori_imgs/{row}.png")
        mask = np.where(alpha[..., None] > 0.01, inputs.HEAD, inputs.REST).astype(np.uint8)
        Image.fromarray(mask).save(folder / f"parsing/{row}.png")
        face = splats.means[-68 * EACH :].reshape(68, EACH, 3).astype(np.float64).mean(axis=1)
        seen = projected(face, camera)
        inputs.write_landmarks(folder, row, seen)
    return folder


def write_splits(folder: Path) -> None:
    for name, rows in (("train", range(TRAIN)), ("val", range(TRAIN, FRAMES))):
        frames = [{"img_id": row, "aud_id": row} for row in rows]
        document = {"focal_len": FOCAL, "cx": SIDE / 2, "cy": SIDE / 2, "frames": frames}
        (folder / f"transforms_{name}.json").write_text(json.dumps(document))


def places() -> NDArray[np.float64]:
    """(68, 3) on the front of the head."""
    rng = np.random.default_rng(2)
    flat = rng.uniform(-0.4, 0.4, (68, 2))
    for numbers, centre in CENTRES.items():
        angles = np.linspace(np.pi, -np.pi, len(numbers), endpoint=False)
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * (0.14, 0.07)
        flat[list(numbers)] = np.array(centre) + ring
    front = 0.55 * np.sqrt(np.clip(1 - (flat[:, 0] / 0.7) ** 2 - (flat[:, 1] / 0.9) ** 2, 0, 1))
    return np.column_stack([flat, front])


def babble(frames: int, seed: int = 0) -> NDArray[np.int16]:
    """Noise through a filter that wanders, in syllables, with a pause of a second at its middle."""
    rng = np.random.default_rng(seed)
    count = frames * inputs.RATE // 25
    noise = rng.normal(size=count)
    rumble = np.cumsum(noise)
    rumble -= np.convolve(rumble, np.ones(200) / 200, "same")
    seconds = np.arange(count) / inputs.RATE
    mix = 0.5 + 0.5 * np.sin(2 * np.pi * 1.7 * seconds + seed)
    voice = mix * noise + (1 - mix) * rumble / rumble.std()
    voice *= np.abs(np.sin(2 * np.pi * 2.3 * seconds))
    middle = seconds[-1] / 2
    voice[(seconds > middle - 0.5) & (seconds < middle + 0.5)] = 0
    return (4000 * voice).clip(-32000, 32000).astype(np.int16)
