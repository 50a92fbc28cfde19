"""Dropped or chosen files: avatars, point clouds, checkpoints; the demo from the Add menu."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import CheckpointError, MissingPackageError
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.avatars import conversion, demo, drops
from egstalker.egstalker_blender.avatars.conversion import Conversion, Request, convert

from core.avatar.file import load_avatar
from core.formats.ply_writer import write_ply
from core.formats.spz import spz_bytes
from tests.support.blender import make_avatar
from tests.support.synthetic import random_gaussians
from tests.support.waiting import Clock, alive, until


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    path = tmp_path / "my head.ply"
    write_ply(load_avatar(make_avatar(tmp_path / "a.egs")).gaussians, path)
    return path


def drop_properties(operator: str) -> dict[str, set[str]]:
    rna = getattr(bpy.ops.egstalker, operator).get_rna_type()
    return {
        p.identifier: {o for o in ("HIDDEN", "SKIP_SAVE") if o in flags(p)} for p in rna.properties
    }


def flags(prop: Any) -> set[str]:
    return {
        name for name, on in (("HIDDEN", prop.is_hidden), ("SKIP_SAVE", prop.is_skip_save)) if on
    }


@pytest.mark.parametrize("handler", drops.CLASSES)
def test_file_handlers(handler: Any) -> None:
    assert handler.is_registered
    name = handler.bl_import_operator.removeprefix("egstalker.")
    properties = drop_properties(name)
    for identifier in ("directory", "files", "filepath"):
        assert "SKIP_SAVE" in properties[identifier]
    for kind, wanted in (("VIEW_3D", True), ("OUTLINER", True), ("NODE_EDITOR", False)):
        assert handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type=kind))) == wanted
    assert not handler.poll_drop(SimpleNamespace(area=None))
    assert handler.bl_file_extensions in (".egs", ".ply;.splat;.ksplat;.spz;.sog")


def test_several_files_at_once(scene: Any, tmp_path: Path) -> None:
    for name in ("one.egs", "two.egs"):
        make_avatar(tmp_path / name)
    files = [{"name": "one.egs"}, {"name": "two.egs"}]
    result = bpy.ops.egstalker.import_avatar(directory=str(tmp_path), files=files)
    assert result == {"FINISHED"}
    paths = {Path(obj.egstalker.avatar_path).name for obj in bpy.context.scene.objects}
    assert paths == {"one.egs", "two.egs"}


def test_one_bad_file_among_several(scene: Any, tmp_path: Path) -> None:
    make_avatar(tmp_path / "one.egs")
    (tmp_path / "bad.egs").write_bytes(b"no")
    files = [{"name": "bad.egs"}, {"name": "one.egs"}]
    result = bpy.ops.egstalker.import_avatar(directory=str(tmp_path), files=files)
    assert result == {"FINISHED"}
    assert len(bpy.context.scene.objects) == 1


def test_nothing_chosen(scene: Any) -> None:
    with pytest.raises(RuntimeError, match="choose one"):
        bpy.ops.egstalker.import_avatar()


def test_a_bare_cloud_becomes_a_still_beside_it(
    scene: Any, cloud: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # it must not be needed
    assert bpy.ops.egstalker.import_checkpoint(filepath=str(cloud)) == {"FINISHED"}
    made = cloud.with_suffix(".egs")
    obj = bpy.context.object
    assert obj.name == "my head" and Path(obj.egstalker.avatar_path) == made
    avatar = load_avatar(made)
    assert avatar.network is None and len(obj.data.vertices) == len(avatar.gaussians)
    # Once more: the same content, so the same file.
    bpy.ops.egstalker.import_checkpoint(filepath=str(cloud))
    assert sorted(p.name for p in cloud.parent.iterdir()) == ["a.egs", "my head.egs", "my head.ply"]


def test_an_spz_becomes_a_still_although_a_network_lies_beside_it(
    scene: Any, tmp_path: Path
) -> None:
    path = tmp_path / "scan.spz"
    path.write_bytes(spz_bytes(random_gaussians(30)))
    (tmp_path / "deformation.pth").touch()
    assert bpy.ops.egstalker.import_checkpoint(filepath=str(path)) == {"FINISHED"}
    assert bpy.context.object.name == "scan" and len(bpy.context.object.data.vertices) == 30


def test_another_file_of_that_name_is_kept(scene: Any, cloud: Path) -> None:
    other = cloud.with_suffix(".egs")
    other.write_bytes(b"precious")
    made = convert(Request(cloud))
    assert made.name == "my head.001.egs"
    assert other.read_bytes() == b"precious"


def test_where_it_cannot_be_written(
    scene: Any, cloud: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "user"
    mine.mkdir()
    monkeypatch.setattr(conversion, "can_write", lambda folder: False)
    monkeypatch.setattr(conversion, "user_folder", lambda name: mine)
    assert convert(Request(cloud)) == mine / "my head.egs"


def test_a_mesh_ply_is_refused_in_one_line(scene: Any, tmp_path: Path) -> None:
    path = tmp_path / "cube.ply"
    path.write_text("ply\nformat ascii 1.0\nelement vertex 0\nend_header\n")
    with pytest.raises(RuntimeError, match=r"cube\.ply") as caught:
        bpy.ops.egstalker.import_checkpoint(filepath=str(path))
    assert len(str(caught.value).strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["cube.ply"]


@pytest.fixture
def checkpoint(tmp_path: Path, cloud: Path) -> Path:
    folder = tmp_path / "obama" / "point_cloud" / "iteration_10"
    folder.mkdir(parents=True)
    cloud.rename(folder / "point_cloud.ply")
    (folder / "deformation.pth").write_bytes(b"weights")
    return folder / "point_cloud.ply"


def test_a_checkpoint_needs_a_worker(
    scene: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(preferences.WORKER_PYTHON_VARIABLE, raising=False)
    with pytest.raises(MissingPackageError, match="set up one in the preferences"):
        Conversion(Request(checkpoint))
    with pytest.raises(RuntimeError, match="set up one"):
        bpy.ops.egstalker.import_checkpoint(filepath=str(checkpoint))


FAKE_PYTHON = """#!{python}
import json, pathlib, shutil, sys, time
pathlib.Path({seen!r}).write_text(json.dumps(sys.argv[1:]))
mode = {mode!r}
if mode == "fail":
    print("a warning"); sys.exit("error: deformation.pth is damaged; copy it again")
if mode == "hang":
    time.sleep(600)
shutil.copyfile({avatar!r}, sys.argv[5])
"""


def fake_python(folder: Path, mode: str) -> Path:
    avatar = make_avatar(folder / "result.egs")
    path = folder / "python"
    seen = str(folder / "seen.json")
    text = FAKE_PYTHON.format(python=sys.executable, seen=seen, mode=mode, avatar=str(avatar))
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_workers_python_converts(scene: Any, checkpoint: Path, tmp_path: Path) -> None:
    made = convert(Request(checkpoint, tmp_path / "data", fake_python(tmp_path, "good")))
    assert made == checkpoint.with_name("obama.egs")
    assert load_avatar(made).network is not None
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen[:4] == ["-m", "core", "convert", str(checkpoint.parent)]
    assert seen[5:] == ["--name", "obama", "--dataset", str(tmp_path / "data")]
    assert not list(checkpoint.parent.glob(".*"))


def test_a_sog_is_read_in_the_worker(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(preferences.WORKER_PYTHON_VARIABLE, raising=False)
    path = tmp_path / "scan.sog"
    path.touch()
    with pytest.raises(MissingPackageError, match="Pillow; choose or set up one in the pref"):
        Conversion(Request(path))
    python = fake_python(tmp_path, "good")
    assert convert(Request(path, None, python, "z-up", "metre")) == tmp_path / "scan.egs"
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen[5:] == ["--name", "scan", "--axes", "z-up", "--unit", "metre"]


def test_its_error_line_is_passed_on(scene: Any, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^deformation\.pth is damaged; copy it again$"):
        convert(Request(checkpoint, None, fake_python(tmp_path, "fail")))
    assert sorted(p.name for p in checkpoint.parent.iterdir()) == [
        "deformation.pth",
        "point_cloud.ply",
    ]


def test_it_has_a_time_limit(scene: Any, checkpoint: Path, tmp_path: Path) -> None:
    clock = Clock()
    request = Request(checkpoint, None, fake_python(tmp_path, "hang"))
    slow = Conversion(request, limit=30.0, clock=clock)
    assert slow.step() is None
    clock.advance(31.0)
    with pytest.raises(CheckpointError, match=r"point_cloud\.ply: it took more than 0.5 minutes"):
        until(slow.step)
    slow.close()
    assert slow._job is not None and not alive(slow._job.pid)


def test_the_official_checkpoint(shared: Path, scene: Any, tmp_path: Path) -> None:
    python = os.environ.get(preferences.WORKER_PYTHON_VARIABLE)
    if not python:
        pytest.skip(f"needs a worker in {preferences.WORKER_PYTHON_VARIABLE}, which is not set")
    done = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs torch in the worker's Python, which has none")
    copy = tmp_path / "official"
    shutil.copytree(shared / "official_checkpoint", copy)
    ply = next(copy.glob("point_cloud/*/point_cloud.ply"))
    bpy.ops.egstalker.import_checkpoint(filepath=str(ply))
    assert bpy.context.object.name == "official"
    assert len(bpy.context.object.data.vertices) > 30_000


def test_a_talking_head_from_the_menu(scene: Any) -> None:
    assert bpy.ops.egstalker.add_talking_head() == {"FINISHED"}
    obj = bpy.context.object
    props = obj.egstalker
    assert props.sound_source == "STRIP" and props.sound_strip
    assert np.allclose(obj.location, scene.cursor.location)
    assert (scene.frame_start, scene.render.fps) == (1, 25)
    assert scene.frame_end == 275  # 11 s
    bpy.ops.egstalker.add_talking_head()  # a second one shares strip, sound and mesh
    assert len(scene.sequence_editor.strips) == len(bpy.data.meshes) == 1
    assert bpy.context.object.egstalker.sound_strip == props.sound_strip


def test_a_range_of_the_users_stays(scene: Any) -> None:
    scene.frame_end = 90
    bpy.ops.egstalker.add_talking_head()
    assert scene.frame_end == 90
    assert demo.DEFAULT_RANGE == (1, 250)


def test_a_head_without_speech(scene: Any) -> None:
    bpy.ops.egstalker.add_talking_head(with_speech=False)
    assert not bpy.context.object.egstalker.sound_strip
    assert (scene.sequence_editor is None or not scene.sequence_editor.strips) and (
        scene.frame_end == 250
    )
