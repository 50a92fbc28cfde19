"""The whole picture: head, neck, body and background, against held-out frames.

The authors' protocol (self_driven.py) shows the true frame around the head. Here everything comes
from the avatar but the frame's own bare background: a bust's body, or the torso picture of a head
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..avatar.rotations import rotation_matrix
from ..dataset.clip import TrainingClip, grown
from ..dataset.masks import NECK, REST, TORSO, USUAL, parts_of
from ..images.image import Image
from ..metrics.pictures import psnr
from ..network.deformer import splats_at
from ..network.skinning import rigid_inverse
from ..records.arrays import Float32, Float64
from ..records.avatar import Avatar, Background
from ..records.camera import pose_vector
from ..records.moment import Moment
from ..render.background import background_of
from .fringe import fringe_pixels
from .measures import measured
from .record import Section, Strip, mean_of
from .render import Renderer, opaque_rgb
from .report.pictures import STRIP_HEIGHT, cropped, to_bytes
from .sounds import Voice

MOST = 60  # frames, evenly spaced
BAND = 0.015  # of the picture's height around the neck: the seams with head and collar
SHOWN = 6  # frames of the strip
ORBIT = (-30, -15, 0, 15, 30)  # degrees of the camera around the head
TURNS = {
    "yaw -25°": (0, -25, 0), "yaw 25°": (0, 25, 0), "pitch -15°": (-15, 0, 0),
    "pitch 15°": (15, 0, 0), "roll -15°": (0, 0, -15), "roll 15°": (0, 0, 15),
}  # fmt: skip

ABOUT = (
    "The same held-out frames with nothing of the true picture but the bare background. Neck, "
    "shoulders and chest are the avatar's body, or the torso picture of a head alone. The neck "
    "band is the neck and a little around it, where the seams are. The fringe counts pixels of the "
    "outline in which the avatar carries more than a tenth of the film's background, and would "
    "show it before any other. The camera orbits the still avatar; then the head turns on its body."
)


def whole_section(
    renderer: Renderer, voice: Voice, rows: tuple[int, ...], on_progress: Callable[[int, int], None]
) -> Section:
    """renderer: of the whole avatar. on_progress: receives frames done and their total."""
    clip = renderer.clip
    some = [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, MOST).round().astype(int))]
    shown = {some[k] for k in np.linspace(0, len(some) - 1, SHOWN).round().astype(int)}
    scores: dict[str, list[float]] = {}
    columns, fringes = [], []
    for done, row in enumerate(some, start=1):
        image, background = _drawn(renderer, voice, row)
        picture = opaque_rgb(image[..., :3] + (1 - image[..., 3:]) * background)
        fringes.append(_fringe(renderer, image, row))
        truth = clip.original(row).astype(np.float32) / 255
        for name, mask in _regions(clip, row).items():
            if mask.any():
                scores.setdefault(name, []).append(psnr(picture, truth, mask))
        if row in shown:
            both = tuple(cropped(to_bytes(p), _all(p), STRIP_HEIGHT) for p in (truth, picture))
            columns.append((f"frame {row}", both))
        on_progress(done, len(some))
    metrics = tuple(
        measured(f"psnr_{name}", mean_of(scores.get(name, [])), f"{len(some)} frames")
        for name in ("picture", "body", "neck", "background")
    )
    metrics = (*metrics, measured("fringe", mean_of(fringes), "pixels of the outline"))
    strips = (Strip("Whole frames", ("true", "avatar"), tuple(columns)), *_views(renderer, voice))
    return Section("whole_frame", "The whole frame", ABOUT, metrics, (), strips)


def _regions(clip: TrainingClip, row: int) -> dict[str, NDArray[np.bool_]]:
    parts = parts_of(clip.parsing(row))
    neck = band = parts == USUAL.index(NECK)
    for _ in range(max(1, round(BAND * clip.height)) if neck.any() else 0):
        band = grown(band)
    return {
        "picture": np.ones_like(band),
        "body": neck | (parts == USUAL.index(TORSO)),
        "neck": band & (parts != USUAL.index(REST)),
        "background": parts == USUAL.index(REST),
    }


def _drawn(renderer: Renderer, voice: Voice, row: int) -> tuple[Image, Float32]:
    """The avatar alone at frame `row`, and (H, W, 3) what is behind it."""
    clip, avatar = renderer.clip, renderer.avatar
    splats = splats_at(renderer.deformer, voice.track, _moment(renderer, voice, row))
    camera = clip.camera(row)
    torso = None if avatar.body or not avatar.background else avatar.background.torso
    if torso is not None and torso.shape[:2] != (clip.height, clip.width):
        torso = None
    background = background_of(Background(clip.bare_background(row), torso), camera)
    return renderer.backend.rasterise(splats, camera), background


def _fringe(renderer: Renderer, image: Image, row: int) -> float:
    """The fringe of the whole person, or of a head alone."""
    clip = renderer.clip
    if renderer.avatar.body is None:
        frame = clip.frame(row)
        return float(fringe_pixels(image, frame.original, frame.background, frame.head))
    person = parts_of(clip.parsing(row)) != USUAL.index(REST)
    return float(fringe_pixels(image, clip.original(row), clip.bare_background(row), person))


def _moment(renderer: Renderer, voice: Voice, row: int) -> Moment:
    clip, avatar = renderer.clip, renderer.avatar
    pose = pose_vector(clip.viewmats[row].astype(np.float32))
    body = _body_pose(avatar, clip, row)
    return Moment(voice.seconds(row), float(clip.eyes[row]), pose, body_pose=body)


def _body_pose(avatar: Avatar, clip: TrainingClip, row: int) -> Float32 | None:
    """Where the track has the body at that frame of the clip it was trained on."""
    if avatar.track is None or avatar.track.bodies is None:
        return None
    rows = sorted({*clip.train_rows, *clip.val_rows, *clip.more_rows})
    if len(rows) != len(avatar.track):
        return None
    return pose_vector(avatar.track.bodies[rows.index(row)])


def _views(renderer: Renderer, voice: Voice) -> tuple[Strip, Strip]:
    avatar, row = renderer.avatar, renderer.clip.train_rows[0]
    rest, camera = avatar.camera.viewmat, avatar.camera
    still = replace(_moment(renderer, voice, row), pose=pose_vector(rest), body_pose=None)
    shape = (camera.height, camera.width, 3)
    grey = np.full(shape, 0.75, np.float32)
    behind = grey if avatar.background is None else background_of(avatar.background, camera)

    def seen(angles: tuple[float, ...], moves: bool) -> tuple[NDArray[np.uint8]]:
        view = rest @ _about(avatar, angles)
        moment = replace(still, pose=pose_vector(view)) if moves else still
        splats = splats_at(renderer.deformer, voice.track, moment)
        over = behind if moves else grey
        image = renderer.backend.rasterise(splats, replace(camera, viewmat=view), over)
        return (cropped(to_bytes(opaque_rgb(image)), _all(image), STRIP_HEIGHT),)

    orbit = partial(seen, moves=False)
    turned = partial(seen, moves=True)
    return (
        Strip("Orbit", ("avatar",), tuple((f"{a}°", orbit((0, a, 0))) for a in ORBIT)),
        Strip("Turned heads", ("avatar",), tuple((k, turned(v)) for k, v in TURNS.items())),
    )


def _about(avatar: Avatar, degrees: tuple[float, ...]) -> Float64:
    """(4, 4) rotation by pitch, yaw, roll about the middle of the head, in its own frame."""
    turn, middle = np.eye(4), np.eye(4)
    turn[:3, :3] = rotation_matrix(np.radians(degrees))
    middle[:3, 3] = np.median(avatar.gaussians.means, axis=0)
    return np.asarray(middle @ turn @ rigid_inverse(middle), np.float64)


def _all(picture: NDArray[np.generic]) -> tuple[int, int, int, int]:
    return 0, picture.shape[0], 0, picture.shape[1]
