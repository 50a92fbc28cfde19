"""What a studio's Blender shows that does not have the extension: the table of the guide's section
*What a Blender without this extension shows*, each of its rows."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import bpy
import pytest

from tests.support.blender import HEIGHT, ROOT, WIDTH, clean_environment, python_here
from tests.support.blender_native import LIMIT, SUPPORTED, prepare

COUNT = 200  # Gaussians of the tiny head


@pytest.fixture
def facts(head: Any, scene: Any, tmp_path: Path) -> dict[str, Any]:
    """Of a Blender of its own, given all that a head can be handed over as."""
    props = head.egstalker
    bpy.ops.egstalker.add_training_camera()
    for kind in ("usdc", "ply", "glb", "spz"):
        scene.frame_set(3)
        path = tmp_path / f"head.{kind}"
        assert getattr(bpy.ops.egstalker, f"export_{kind}")(filepath=str(path)) == {"FINISHED"}
    shutil.copy(next(tmp_path.rglob("head*3.ply")), tmp_path / "head.ply")
    props.output_path, props.camera_source = str(tmp_path), "scene"
    props.video_path = str(tmp_path / "film.mp4")
    for kind, stem in (("exr", "plain_"), ("exr-multilayer", "layers_")):
        props.file_format, props.file_stem = kind, stem
        assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    props.file_format, props.file_stem = "png", "frame_"
    assert bpy.ops.egstalker.bake_video(engine="builtin") == {"FINISHED"}
    prepare(scene, samples=1)
    scene.frame_set(3)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "native.blend"))
    bpy.ops.egstalker.add_render_layer()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "layer.blend"))
    done = subprocess.run(
        python_here("-m", "tests.support.blender_without_extension", tmp_path),
        env=clean_environment(tmp_path / "profile"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((tmp_path / "facts.json").read_text())
    return found


def test_each_row_of_the_table(facts: dict[str, Any]) -> None:
    check_splats(facts)
    assert facts["frame_0003.png"]["size"] == facts["plain_0003.exr"]["size"] == [WIDTH, HEIGHT]
    assert facts["plain_0003.exr"]["alpha"] == pytest.approx(
        facts["frame_0003.png"]["alpha"], abs=0.01
    )
    layers = facts["layers_0003.exr"]
    assert layers["matte"][0] == 0 < layers["matte"][1] <= 1
    assert 0 < layers["Depth"][0] < 10 < 1e9 < layers["Depth"][1]
    film = facts["film.mp4"]
    assert (film["frames"], film["size"]) == (3, [WIDTH, HEIGHT]) and film["loud"] > 0.1
    for name in ("native.blend", "layer.blend"):
        assert "BOUNDS" in facts[name]["views"] and facts[name]["alpha"] == 0
    assert "Talking Heads" in facts["layer.blend"]["groups"]


def check_splats(facts: dict[str, Any]) -> None:
    usdc, ply, glb, spz = (facts[f"head.{kind}"] for kind in ("usdc", "ply", "glb", "spz"))
    if not SUPPORTED:
        assert [one["count"] for one in usdc] in ([], [0])
        for found, colours in ((ply, []), (glb, ["Color"])):
            [points] = [one for one in found if one["count"]]
            assert points == {"type": "MESH", "count": COUNT, "moves": False, "colours": colours}
        assert spz == [{"type": "NO IMPORTER"}]
        return
    for found, moves in ((usdc, True), (ply, False), (glb, False), (spz, False)):
        [points] = [one for one in found if one["count"]]
        assert (points["type"], points["count"]) == ("GAUSSIAN_SPLAT", COUNT)
        assert points["moves"] == moves and "radiance:base" in points["colours"]
