"""The option Approximate: on the object, in the panel, on the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from egstalker.core.avatar.file import load_avatar, save_avatar
from egstalker.core.network.architecture import architecture_of
from egstalker.core.records.avatar import Avatar, FrozenGaussians, Measured
from egstalker.egstalker_blender import cli
from egstalker.egstalker_blender.panels import approximate

from tests.support.blender import job_of, read_png, voice, write_wav


def measured(avatar: Avatar) -> Avatar:
    """The later half of the Gaussians held, far from where they are."""
    assert avatar.network is not None
    count = len(avatar.gaussians)
    rows = np.arange(max(count // 2, avatar.network.agents), count)
    offsets = {
        n: np.full((len(rows), w), 0.3, np.float32)
        for n, w in architecture_of(avatar.network).widths.items()
    }
    return replace(
        avatar, frozen_gaussians=FrozenGaussians(rows, offsets, Measured(54.3, 60.0, 64, "aud.wav"))
    )


def test_approximate_reaches_every_moment(head: Any) -> None:
    assert [task.moment.approximate for task in job_of(head).frames] == [False] * 3
    head.egstalker.approximate = True
    assert [task.moment.approximate for task in job_of(head).frames] == [True] * 3


def test_the_panel_says_what_approximate_does_for_the_avatar(avatar_path: Path) -> None:
    avatar = load_avatar(avatar_path)
    assert "stays exact" in approximate.text_of(avatar)
    measured = Measured(54.3, 60.0, 64, "aud.wav")
    rows = np.arange(len(avatar.gaussians) // 2)
    frozen = replace(avatar, frozen_gaussians=FrozenGaussians(rows, {}, measured))
    assert (
        approximate.text_of(frozen)
        == "Freezes 50% of the Gaussians; images match to 54 dB or better"
    )


def test_from_the_command_line(
    scene: Any, tmp_path: Path, avatar_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = write_wav(tmp_path / "voice.wav", voice(0.2))
    options = ["--audio", str(sound), "--frames", "2", "--engine", "builtin"]
    rough = [*options, "--approximate", "--out"]
    assert cli.main(["--avatar", str(avatar_path), *rough, str(tmp_path / "no")]) == 2
    assert "was not measured for --approximate" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
    frozen = tmp_path / "held.egs"
    save_avatar(measured(load_avatar(avatar_path)), frozen)
    for name, more in (("rough", rough), ("exact", [*options, "--out"])):
        assert cli.main(["--avatar", str(frozen), *more, str(tmp_path / name)]) == 0
    a, b = (read_png(tmp_path / name / "frame_0002.png") for name in ("rough", "exact"))
    assert not np.array_equal(a, b)
