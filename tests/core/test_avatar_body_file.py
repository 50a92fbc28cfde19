"""An avatar's body in its file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.avatar.file import load_avatar, save_avatar
from core.errors import AvatarFileError
from core.records.avatar import Avatar
from tests.support.avatar_inputs import small_avatar
from tests.support.egs_files import assert_same, put, rewrite
from tests.support.synthetic import random_body


def bust() -> Avatar:
    avatar = small_avatar()
    assert avatar.track is not None
    track = dataclasses.replace(avatar.track, bodies=avatar.track.viewmats[::-1].copy())
    return dataclasses.replace(avatar, body=random_body(), track=track)


def test_a_bust_round_trips(tmp_path: Path) -> None:
    avatar = bust()
    save_avatar(avatar, tmp_path / "x.egs")
    assert_same(avatar, load_avatar(tmp_path / "x.egs"))


WRONG_BODY = {
    "lost": (put("t", "body.means", None), "'body.means' is missing"),
    "count": (put("t", "body.quats", np.ones((9, 4), np.float32)), "not float 60 x 4"),
    "weights": (put("t", "body.weights", np.full(60, 1.5, np.float32)), "weights are outside 0..1"),
    "skewed": (put("t", "track.bodies", np.full((6, 4, 4), 2, np.float32)), "not rotations"),
}


@pytest.mark.parametrize("name", WRONG_BODY)
def test_what_is_wrong_with_a_body_is_named(tmp_path: Path, name: str) -> None:
    change, message = WRONG_BODY[name]
    path = tmp_path / "x.egs"
    save_avatar(bust(), path)
    rewrite(path, change)
    with pytest.raises(AvatarFileError, match=message):
        load_avatar(path)
