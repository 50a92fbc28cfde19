"""Collar, jacket and wall beside the jaw, inside the mesh's outline, of drawn persons."""

from __future__ import annotations

import numpy as np

from core.prepare.mask_regions import BACKGROUND, HEAD, TORSO
from core.prepare.segmentation.person import learn_person
from core.prepare.segmentation.split import split
from core.prepare.segmentation.view import view_of

from ..support.drawn_person import BROWN, SIDE, SKIN, WALL, Colour, Drawn, draw

JACKET, COLLAR = (30, 30, 44), (235, 235, 240)
Frame = tuple[np.ndarray, np.ndarray, np.ndarray]

_Y, _X = np.mgrid[:SIDE, :SIDE] + 0.5
FROM_FACE = np.hypot(_X - 128, _Y - 104)  # the mesh's outline is at 48
BESIDE = (FROM_FACE > 44) & (_Y > 126) & (np.abs(_X - 128) > 24)


def painted(frame: Frame, where: np.ndarray, colour: Colour, region: int) -> Frame:
    pixels, truth, face = frame
    noise = 4 * np.random.default_rng(1).normal(size=pixels.shape)
    pixels[where] = np.clip(noise + colour, 0, 255)[where]
    truth[where] = region
    return pixels, truth, face


def segmented(frame: Frame, outline: np.ndarray | None = None) -> np.ndarray:
    pixels, truth, face = frame
    person = truth > 0 if outline is None else outline
    return split(pixels, person, face, learn_person([view_of(pixels, person, face)]))


def test_collar_and_jacket_beside_the_jaw_are_torso() -> None:
    """The mesh's outline lies four pixels outside the jaw. The chest shows no white cloth."""
    frame = draw(Drawn(clothes=JACKET))
    frame = painted(frame, BESIDE & (FROM_FACE < 74), JACKET, TORSO)
    frame = painted(frame, BESIDE & (FROM_FACE < 52) & (_X < 128), COLLAR, TORSO)
    found = segmented(frame)
    for side in (_X < 128, _X > 128):
        beside = BESIDE & (FROM_FACE < 52) & (_Y < 146) & side
        assert (found[beside] == TORSO).mean() > 0.9
    jaw = (FROM_FACE < 42) & (_Y > 126)
    assert (found[jaw] == HEAD).all()


def test_wall_between_the_jaw_and_the_shoulder_is_background() -> None:
    """The network's outline takes it for a person."""
    frame = draw(Drawn(clothes=JACKET))
    outline = frame[1] > 0
    frame = painted(frame, BESIDE & (FROM_FACE < 50) & (_Y < 140), WALL, BACKGROUND)
    found = segmented(frame, outline)
    assert (found[BESIDE & (FROM_FACE < 50) & (_Y < 140)] != HEAD).mean() > 0.9


def test_a_face_keeps_its_jaw_in_shadow() -> None:
    """As dark as the jacket along the whole cheek, or a shade of skin along the jaw alone."""
    dark = (FROM_FACE > 43) & (FROM_FACE < 48) & (_X < 128) & (_Y > 90)
    dark |= BESIDE & (FROM_FACE < 52) & (_X < 128)
    found = segmented(painted(draw(Drawn(clothes=JACKET)), dark, JACKET, HEAD))
    assert (found[dark & (FROM_FACE < 48) & (_Y < 146)] == HEAD).all()
    shade: Colour = (SKIN[0] * 5 // 12, SKIN[1] * 5 // 12, SKIN[2] * 5 // 12)
    edge = BESIDE & (FROM_FACE < 48)
    found = segmented(painted(draw(Drawn(clothes=JACKET)), edge, shade, HEAD))
    assert (found[edge & (_Y < 146)] == HEAD).mean() > 0.98


def test_hair_and_beard_over_the_jaw_stay_head() -> None:
    for drawn in (
        Drawn(locks=(True, True), clothes=JACKET),
        Drawn(beard=55, clothes=JACKET),
        Drawn(clothes=(200, 155, 140)),
    ):
        frame = draw(drawn)
        if drawn.beard:
            edge = BESIDE & (FROM_FACE < 48) & (_Y > 132)
            frame = painted(frame, edge, BROWN, HEAD)
        found = segmented(frame)
        near = BESIDE & (FROM_FACE < 48) & (_Y < 146) & (frame[1] == HEAD)
        assert (found[near] == HEAD).mean() > 0.98
