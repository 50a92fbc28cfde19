"""Heads in Blender's own renders as farms run them: chunks, skipped frames, missing files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.egstalker_blender.render import failure

from tests.support.blender import names, voice, write_wav
from tests.support.blender_native import SUPPORTED, animation, prepare

KINDS = ["layer", *(["native"] if SUPPORTED else [])]


@pytest.fixture(params=KINDS)
def heads(request: Any, head: Any, scene: Any, avatar_path: Path, tmp_path: Path) -> list[Any]:
    """Two talking heads, side by side, in frames 2 to 4."""
    bpy.ops.egstalker.add_training_camera()
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    other = bpy.context.object
    bpy.ops.egstalker.link_sound_file(
        filepath=str(write_wav(tmp_path / "other.wav", voice(1.0)[::-1]))
    )
    head.name, other.name, other.location.x = "Ann", "Ben", 0.1
    prepare(scene, samples=1)
    scene.render.resolution_x, scene.render.resolution_y = 28, 24
    if request.param == "layer":
        assert bpy.ops.egstalker.add_render_layer() == {"FINISHED"}
    return [head, other]


def test_chunks_and_skipped_frames_are_the_same_pictures(
    heads: list[Any], scene: Any, tmp_path: Path
) -> None:
    whole = animation(scene, tmp_path / "whole")
    assert list(whole) == [2, 3, 4] and whole[2][..., 3].max() > 0.1
    scene.frame_start = 3
    chunk = animation(scene, tmp_path / "chunk")
    assert list(chunk) == [3, 4]
    assert all(np.array_equal(chunk[number], whole[number]) for number in chunk)
    scene.frame_start = 2
    scene.render.use_overwrite, scene.render.use_placeholder = False, True
    (tmp_path / "whole" / "a_0003.png").unlink()
    kept = (tmp_path / "whole" / "a_0002.png").stat().st_mtime_ns
    again = animation(scene, tmp_path / "whole")
    assert np.array_equal(again[3], whole[3])
    assert (tmp_path / "whole" / "a_0002.png").stat().st_mtime_ns == kept


def test_all_missing_files_are_named_at_once_and_no_empty_file_is_left(
    heads: list[Any], scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    left: list[tuple[str, int, list[str]]] = []

    def leave(text: str, code: int) -> None:
        left.append((text, code, names(tmp_path / "out")))

    monkeypatch.setattr(failure, "_leave", leave)
    for obj, gone in zip(heads, ("a.egs", "b.egs"), strict=True):
        obj.egstalker.avatar_path = str(tmp_path / gone)
    (tmp_path / "other.wav").unlink()
    scene.render.use_overwrite, scene.render.use_placeholder = False, True
    scene.frame_end, scene.render.filepath = 2, f"{tmp_path}/out/f_"
    bpy.ops.render.render(animation=True)
    text, code, files = left[0]
    assert code == 2 and files == []
    for name in ("a.egs", "b.egs", "other.wav", "frame 2 is not rendered"):
        assert name in text
