"""Cuts, other people, other framings, covered and frozen pictures: found, left out, counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV: make prepare")
pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.dataset.pictures import read_picture
from core.errors import VideoError
from core.images.pillow import resized
from core.prepare import shots as shots_module
from core.prepare.choice import Look, likeness, same_person
from core.prepare.cuts import find_cuts
from core.prepare.fades import faded_frames
from core.prepare.landmarks import MESHES, find_meshes, load_signals
from core.prepare.options import PrepareOptions
from core.prepare.pictures import write_picture
from core.prepare.poses import TRACK, track_poses, write_eyes
from core.prepare.shots import REASONS, Shots, check, find_shots, load_shots, reasons_text, summary
from core.prepare.step import Step

from ..support import films
from ..support.films import talking

SPLITS = ("train", "val")
PIECES = (
    ("a", talking(60)),
    ("card", [films.card()] * 20),
    ("zoom", [films.zoomed(picture) for picture in talking(30, 60)]),
    ("b", talking(15, 20)),
    ("hand", [films.covered(picture) for picture in talking(15, 35)]),
    ("c", talking(15, 50)),
    ("frozen", talking(1, 64) * 12),
    ("d", talking(14, 65)),
    ("black", [films.black()] * 6),
    ("other", [films.somebody_else(picture) for picture in talking(20, 10)]),
    ("e", talking(16, 90)),
    ("f", talking(4, 106)),
    ("fade", films.faded(talking(14, 110), talking(14, 120))),
    ("after", [films.somebody_else(picture) for picture in talking(14, 24)]),
)


def begun(folder: Path, frames: list[np.ndarray]) -> tuple[Step, list[str]]:
    """A step whose folder has the frames as pictures, and the notes it will get."""
    notes: list[str] = []
    step = Step(
        Path("film.mp4"), folder, PrepareOptions(size=256), "shots", lambda *seen: None,
        notes.append, lambda: False,
    )  # fmt: skip
    step.make("prepare", "ori_imgs")
    for row, pixels in enumerate(frames):
        write_picture(step.image(row), pixels)
    find_meshes(step, len(frames), False)
    return step, notes


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shots, dict[str, object], str]:
    frames = [picture for _, piece in PIECES for picture in piece]
    step, notes = begun(tmp_path_factory.mktemp("film"), frames)
    facts = find_shots(step)
    assert len(notes) == 1
    return load_shots(step), facts, notes[0]


def reasons_of(shots: Shots, name: str) -> list[str]:
    """The reason of every frame of a piece."""
    first = 0
    for piece, frames in PIECES:
        if piece == name:
            return [REASONS[why] for why in shots.reason[first : first + len(frames)]]
        first += len(frames)
    raise KeyError(name)


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        ("card", "without a face"),
        ("zoom", "in another framing"),
        ("hand", "with something before the face"),
        ("black", "black"),
        ("other", "of another person or in other light"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_its_reason(
    film: tuple[Shots, dict[str, object], str], piece: str, reason: str
) -> None:
    assert set(reasons_of(film[0], piece)) == {reason}


def test_frames_in_a_cross_fade_are_left_out(film: tuple[Shots, dict[str, object], str]) -> None:
    """Its ends are hardly mixed, and look like what is beside them."""
    shots = film[0]
    assert set(reasons_of(shots, "fade")[2:-2]) == {"in a cross-fade"}
    assert set(reasons_of(shots, "after")[3:]) == {"of another person or in other light"}
    frames = [picture for name, piece in PIECES if name in "abcde" for picture in piece]
    small = np.stack([resized(picture, 16, 16, "BOX") for picture in frames])
    assert not faded_frames(small).any()
    assert np.flatnonzero(shots.reason == REASONS.index("in a cross-fade")).min() > 200


@pytest.mark.parametrize("mixed", [1, 2, 4, 6])
def test_a_short_cross_fade_is_left_out_and_ends_the_shot(mixed: int) -> None:
    """Into somebody else, and into the same person enlarged. mixed: pictures in it."""
    after = [films.somebody_else(p) for p in talking(24, 90)]
    for others in (after, [films.zoomed(p, 1.5) for p in talking(24, 90)]):
        shares = np.clip((np.arange(48) - 23) / (mixed + 1), 0, 1)
        frames = [
            (a * (1 - share) + b * share + 0.5).astype(np.uint8)
            for share, a, b in zip(
                shares, [*talking(24), *talking(24, 24)], 2 * others, strict=True
            )
        ]
        small = np.stack([resized(picture, 16, 16, "BOX") for picture in frames])
        found = np.flatnonzero(faded_frames(small)).tolist()
        assert set(range(24, 24 + mixed)) <= set(found) <= set(range(21, 27 + mixed))
        cut = find_cuts(small, np.zeros((48, 478, 3)), np.ones(48, bool))
        assert cut[found[-1] + 1]


def test_a_cut_and_quick_movements_are_no_cross_fade() -> None:
    frames = [*talking(20), *[films.somebody_else(p) for p in talking(20, 30)], films.black()]
    frames += [np.roll(talking(1)[0], 4 * step, axis=1) for step in range(20)]
    small = np.stack([resized(picture, 16, 16, "BOX") for picture in frames])
    assert not faded_frames(small).any()


def looking(colours: np.ndarray) -> Look:
    return Look(0, 50, 50, np.zeros((478, 3)), colours, 40.0, np.zeros(2))


def test_people_are_told_apart_by_pattern_and_balance_of_colours() -> None:
    """Two faces may have nearly the same pattern, and the same person's changes a little as the
    head turns; the balance of red, green and blue then decides."""
    random = np.random.default_rng(1)
    pattern, noise = random.normal(0, 30, (2, 468, 1))
    skin = np.array([190.0, 140.0, 120.0])
    own = looking(skin * (1 + pattern / 140))
    other = looking(skin * [1.1, 1, 1] * (1 + (pattern + 0.45 * noise) / 140))
    turned = looking(skin * [1.01, 1, 1] * (1 + (pattern + 0.68 * noise) / 140))
    assert (
        likeness(own.colours, other.colours) > 0.87 > 0.84 > likeness(own.colours, turned.colours)
    )
    assert not same_person(own, other)
    assert same_person(own, turned)
    stranger = looking(skin * (1 + (pattern + 0.9 * noise) / 140))
    assert likeness(own.colours, stranger.colours) > 0.68 and not same_person(own, stranger)


def test_without_colours_the_pattern_alone_has_to_be_more_alike() -> None:
    random = np.random.default_rng(1)
    pattern, noise = random.normal(0, 30, (2, 468, 1))
    grey = np.full(3, 140.0)
    own, nearly = (looking(grey + pattern + share * noise) for share in (0, 0.7))
    assert 0.78 < likeness(own.colours, nearly.colours) < 0.85 and not same_person(own, nearly)
    assert same_person(own, looking(grey + pattern + 0.4 * noise))


def test_frozen_pictures_are_left_out_but_for_the_first(
    film: tuple[Shots, dict[str, object], str],
) -> None:
    assert reasons_of(film[0], "frozen").count("frozen") >= 10


def test_the_same_person_in_the_same_framing_is_used(
    film: tuple[Shots, dict[str, object], str],
) -> None:
    shots, facts, note = film
    for piece in "abcde":
        found = reasons_of(shots, piece)
        assert set(found) <= {"used", "at a cut"} and found.count("at a cut") <= 1, piece
    assert facts["used"] == shots.used.sum()
    assert sum(facts["left_out"].values()) == len(shots.reason) - facts["used"]  # type: ignore[attr-defined]
    assert note.startswith("using 0.0 to 2.4 s, 4.4 to 5.0 s, ")
    assert "1.2 s in another framing" in note and "left out: " in note


def test_a_photograph_that_is_moved_about_is_refused(tmp_path: Path) -> None:
    photo = np.pad(talking(1, 20)[0], ((8, 8), (8, 8), (0, 0)), "edge")
    frames = [
        photo[8 + round(6 * np.sin(k / 7)) :, 8 + round(6 * np.cos(k / 9)) :][:256, :256]
        for k in range(56)
    ]
    frames = [np.pad(f, ((0, 256 - len(f)), (0, 256 - f.shape[1]), (0, 0)), "edge") for f in frames]
    step, _ = begun(tmp_path, frames)
    with pytest.raises(VideoError, match="still picture"):
        find_shots(step)


def test_too_little_is_refused_with_the_reason(tmp_path: Path) -> None:
    frames = [*talking(30), *[films.card()] * 40]
    step, _ = begun(tmp_path, frames)
    expected = r"has 1\.2 s of 2\.8 s .*1\.6 s without a face.* faces the camera"
    with pytest.raises(VideoError, match=expected):
        find_shots(step)


def test_two_faces_profile_and_border_are_left_out() -> None:
    """Judged from meshes alone."""
    reason = np.zeros(100, np.int8)
    reason[:60] = [REASONS.index("with two faces")] * 20 + [REASONS.index("in profile")] * 40
    with pytest.raises(VideoError, match=r"0\.8 s with two faces, 1\.6 s in profile.* faces the"):
        check(Shots(np.zeros(100, np.int32), reason), "film.mp4")
    assert reasons_text({"at a cut": 1, "frozen": 25}) == "1 frame at a cut, 1.0 s frozen"
    whole = Shots(np.zeros(100, np.int32), np.zeros(100, np.int8))
    assert summary(whole).startswith("using 0.0 to 4.0 s of 4.0 s")


def test_pictures_are_read_once_for_landmarks_and_shots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again only beside a step of the face's size, which another processor may find."""
    step, _ = begun(tmp_path, talking(60))
    again = []

    def counted(path: Path) -> object:
        again.append(path)
        return read_picture(path)

    monkeypatch.setattr("core.prepare.step.read_picture", counted)
    assert find_shots(step)["used"] == 60
    assert len(again) <= 4


def test_faces_that_are_rivals_turned_or_cut_off(tmp_path: Path) -> None:
    step, _ = begun(tmp_path, talking(60))
    found = step.load(MESHES)
    assert not found["rivals"].any()
    meshes = found["meshes"].astype(np.float64)
    signals = load_signals(step)
    valid = found["valid"].astype(bool)
    cut = find_cuts(signals.small, meshes, valid)
    assert not cut.any()
    rivals = np.zeros(60, bool)
    rivals[5:10] = True
    turned = meshes.copy()
    angle = np.radians(60)  # about the vertical axis: a profile
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    middle = turned[20:25].mean(1, keepdims=True)
    turned[20:25] = (turned[20:25] - middle) @ turn.T + middle
    turned[40:45, :, 0] += 256 - turned[40:45, :, 0].max(1, keepdims=True) + 30
    shots = shots_module.choose(signals, turned, valid, rivals, cut, 256)
    assert {REASONS[why] for why in shots.reason[5:10]} == {"with two faces"}
    assert {REASONS[why] for why in shots.reason[20:25]} == {"in profile"}
    assert {REASONS[why] for why in shots.reason[40:45]} == {"cut off by the border"}
    assert shots.used.sum() == 45


def test_left_out_frames_keep_their_numbers_and_no_pose_crosses_a_cut(tmp_path: Path) -> None:
    """A zoom after frame 40, and the same pictures again after it: their poses are the same again
    at once."""
    frames = [*talking(40), *[films.zoomed(p) for p in talking(14, 40)], *talking(36, 20)]
    step, _ = begun(tmp_path, frames)
    find_shots(step)
    track_poses(step, False)
    write_eyes(step)
    split = [json.loads((tmp_path / f"transforms_{name}.json").read_text()) for name in SPLITS]
    numbers = [[entry["img_id"] for entry in document["frames"]] for document in split]
    assert [*numbers[0], *numbers[1]] == [*range(40), *range(55, 90)] and len(numbers[1]) == 7
    assert all(step.landmarks(row).is_file() for row in range(90))
    success = [
        line.split(",")[3].strip() for line in (tmp_path / "au.csv").read_text().split("\n")[1:-1]
    ]
    assert [row for row, value in enumerate(success) if value == "0"] == list(range(40, 55))
    turns = step.load(TRACK)["rotations"]
    assert turns.shape == (90, 3, 3)
    again = turns[55:70] @ np.swapaxes(turns[21:36], 1, 2)
    angles = np.degrees(np.arccos(np.clip((np.trace(again, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert angles.max() < 0.5
