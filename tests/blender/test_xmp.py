"""Baked files declare themselves synthetic, unless the preference or the option says no."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender import cli, preferences
from egstalker.egstalker_blender.render import native

from tests.support.blender import job_of, read_png
from tests.support.blender_native import prepare

TYPES = b"http://cv.iptc.org/newscodes/digitalsourcetype/"


def test_the_preference_is_on_by_default_and_obeyed(
    head: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert job_of(head).xmp
    monkeypatch.setattr(preferences, "get", lambda: SimpleNamespace(write_xmp=False))
    assert not job_of(head).xmp


def test_a_bake_declares_itself_and_its_pixels_stay(
    scene: Any, avatar_path: Path, tmp_path: Path
) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    bpy.ops.egstalker.add_training_camera()
    name, (sound, out) = "frame_0001.png", (tmp_path / "none.npy", tmp_path / "out")
    np.save(sound, np.zeros((4, 16, 29), np.float32))
    options = ["--avatar", str(avatar_path), "--audio", str(sound), "--frames", "1"]
    options += ["--engine", "builtin", "--out"]
    pictures = []
    for more, kind in (
        ([], b"compositeSynthetic"),
        (["--camera", "scene"], b"trainedAlgorithmicMedia"),
        (["--no-xmp"], b""),
    ):
        assert cli.main([*options, str(out), *more]) == 0
        data = (out / name).read_bytes()
        assert (TYPES + kind in data) if kind else (b"xmp" not in data)
        pictures.append(read_png(out / name))
    assert np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize("still", [True, False])
def test_a_render_that_shows_a_head_declares_itself(
    head: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, still: bool
) -> None:
    bpy.ops.egstalker.add_training_camera()
    prepare(scene)
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.frame_start = scene.frame_end = scene.frame_current = 3
    scene.render.filepath = str(tmp_path / "render")
    path = tmp_path / ("render.png" if still else "render0003.png")

    def written() -> bytes:
        bpy.ops.render.render(write_still=still, animation=not still)
        return path.read_bytes()

    if native.SUPPORTED:
        assert written().count(TYPES) == 1
        bpy.ops.egstalker.remove_renderable()
    assert TYPES not in written()
    assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}
    data = written()
    assert data.count(TYPES + b"compositeSynthetic") == 1 and b"tiny head" in data
    shown = read_png(path)
    monkeypatch.setattr(preferences, "writes_xmp", lambda: False)
    assert TYPES not in written()
    assert np.array_equal(read_png(path), shown)
    head.hide_render = True
    monkeypatch.undo()
    assert TYPES not in written()
