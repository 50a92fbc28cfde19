"""The exporters of splats, and what Blender's own importers make of their files."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.formats import usd
from egstalker.core.network.deformer import splats_at
from egstalker.core.network.numpy.folded_network import prepare
from egstalker.egstalker_blender.export import gather, operators
from mathutils import Matrix
from numpy.typing import NDArray

from core.avatar.file import load_avatar
from core.formats.ply import read_ply
from core.records.gaussians import Splats, activate
from core.render.place import moved
from tests.support.blender import job_of, names, track_of_job
from tests.support.blender_native import needs_splats
from tests.support.splat_files import covariances, read_glb
from tests.support.synthetic import random_gaussians

PLACE = Matrix.LocRotScale((0.5, -1.0, 2.0), Matrix.Rotation(0.7, 3, (1, 2, 3)), (1.5, 1.5, 1.5))
CAMERAS = ((0.0, -3.0, 2.0), (2.0, -2.0, 3.0))  # from which colours are compared


@pytest.fixture
def posed(head: Any) -> Any:
    """An avatar that is moved, turned and grown, and moves on."""
    head.matrix_world = PLACE
    head.keyframe_insert("location", frame=2)
    head.location.x += 0.25
    head.keyframe_insert("location", frame=4)
    return head


def expected(obj: Any, frame: int) -> Splats:
    """The head in Blender's world at a frame of the job, computed by core alone."""
    scene = bpy.context.scene
    job, avatar = job_of(obj), load_avatar(Path(obj.egstalker.avatar_path))
    [moment] = [task.moment for task in job.frames if task.number == frame]
    splats = splats_at(prepare(avatar.network, avatar.gaussians), track_of_job(obj), moment)
    scene.frame_set(frame)
    world = np.array(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world)
    axes = np.array([[0.1, 0, 0, 0], [0, 0, -0.1, 0], [0, 0.1, 0, 0], [0, 0, 0, 1]])
    return moved(splats, world @ axes)


def values(data: Any, name: str, key: str, width: int) -> NDArray[np.float32]:
    flat = np.empty(len(data.points) * width, np.float32)
    data.attributes[name].data.foreach_get(key, flat)
    return flat.reshape(-1, width)


def imported() -> Splats:
    """The only cloud of Blender's scene, in the world."""
    bpy.context.view_layer.update()
    [obj] = [obj for obj in bpy.data.objects if obj.type == "POINTCLOUD"]
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    data = evaluated.data
    assert data.type == "GAUSSIAN_SPLAT"
    base = values(data, "radiance:base", "vector", 4)
    sh = np.zeros((len(base), 16, 3), np.float32)
    sh[:, 0] = base[:, :3]
    for k in range(15):
        if f"radiance:sh_{k}" in data.attributes:
            sh[:, 1 + k] = values(data, f"radiance:sh_{k}", "vector", 3)
    own = Splats(
        values(data, "position", "vector", 3),
        values(data, "rotation", "value", 4),
        values(data, "scale", "vector", 3),
        base[:, 3],
        sh,
    )
    return moved(own, np.array(evaluated.matrix_world, np.float64))


def assert_same(found: Splats, wanted: Splats, coarse: bool = False) -> None:
    """The same cloud to a viewer. coarse: within the steps of .spz."""
    tolerance = 2e-5
    np.testing.assert_allclose(found.means, wanted.means, atol=tolerance)
    np.testing.assert_allclose(found.opacities, wanted.opacities, atol=3e-3 if coarse else 1e-5)
    np.testing.assert_allclose(found.sh, wanted.sh, atol=0.03 if coarse else 1e-4)
    one, other = (covariances(s.quats, s.scales) for s in (found, wanted))
    np.testing.assert_allclose(one, other, atol=(0.1 if coarse else 1e-3) * np.abs(other).max())


def empty_scene() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


@needs_splats
def test_blender_plays_the_usdc_without_the_extension(posed: Any, tmp_path: Path) -> None:
    wanted = {frame: expected(posed, frame) for frame in (2, 3, 4)}
    assert bpy.ops.egstalker.export_usdc(filepath=str(tmp_path / "a.usdc")) == {"FINISHED"}
    assert "a.usdc" in names(tmp_path) and not any("part" in name for name in names(tmp_path))
    empty_scene()
    bpy.context.scene.render.fps = 25
    bpy.ops.wm.usd_import(filepath=str(tmp_path / "a.usdc"))
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end) == (2, 4)
    for frame, splats in wanted.items():
        scene.frame_set(frame)
        assert_same(imported(), splats)
    scene.frame_set(2, subframe=0.5)
    between = (wanted[2].means + wanted[3].means) / 2
    np.testing.assert_allclose(imported().means, between, atol=2e-5)


@needs_splats
@pytest.mark.parametrize("degree", [0, 3])
def test_blender_imports_the_glb(posed: Any, tmp_path: Path, degree: int) -> None:
    wanted = expected(posed, 3)
    bpy.ops.egstalker.export_glb(filepath=str(tmp_path / "a.glb"), sh_degree=degree)
    empty_scene()
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "a.glb"))
    if degree == 0:
        wanted.sh[:, 1:] = 0
    assert_same(imported(), wanted)


@needs_splats
def test_blender_imports_the_spz(posed: Any, tmp_path: Path) -> None:
    wanted = expected(posed, 3)
    bpy.ops.egstalker.export_spz(filepath=str(tmp_path / "a.spz"))
    empty_scene()
    bpy.ops.wm.spz_import(filepath=str(tmp_path / "a.spz"))
    assert_same(imported(), wanted, coarse=True)


@needs_splats
def test_blender_imports_each_ply_in_the_axes_of_splat_tools(posed: Any, tmp_path: Path) -> None:
    wanted = expected(posed, 4)
    bpy.ops.egstalker.export_ply(filepath=str(tmp_path / "a.ply"))
    assert [name for name in names(tmp_path) if name.endswith("ply")] == [
        "a0002.ply", "a0003.ply", "a0004.ply"]  # fmt: skip
    empty_scene()
    bpy.ops.wm.ply_import(
        filepath=str(tmp_path / "a0004.ply"), forward_axis="Z", up_axis="NEGATIVE_Y"
    )
    assert_same(imported(), wanted)


def usd_samples(path: Path) -> tuple[Any, dict[str, int]]:
    """The prim of a file, and how many time samples each attribute has."""
    from pxr import Usd

    stage = Usd.Stage.Open(str(path))
    prim = stage.GetDefaultPrim()
    return stage, {
        a.GetName(): a.GetNumTimeSamples() for a in prim.GetAttributes() if a.HasAuthoredValue()
    }


def test_usd_itself_reads_motion_and_deformation_apart(posed: Any, tmp_path: Path) -> None:
    """In each Blender, by its own OpenUSD."""
    wanted = expected(posed, 3)
    bpy.ops.egstalker.export_usdc(filepath=str(tmp_path / "a.usdc"), sh_degree=1)
    stage, samples = usd_samples(tmp_path / "a.usdc")
    from pxr import UsdGeom

    prim = stage.GetDefaultPrim()
    assert prim.GetTypeName() == "ParticleField3DGaussianSplat"
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (2, 4)
    assert stage.GetTimeCodesPerSecond() == 25 and UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert samples["positions"] == 3 and samples["xformOp:transform"] == 3
    matrix = np.array(UsdGeom.Xformable(prim).GetLocalTransformation(3)).T
    np.testing.assert_allclose(np.linalg.norm(matrix[:3, :3], axis=0), 1, atol=1e-6)
    means = np.array(prim.GetAttribute("positions").Get(3)) @ matrix[:3, :3].T + matrix[:3, 3]
    turned = np.stack([wanted.means[:, 0], wanted.means[:, 2], -wanted.means[:, 1]], axis=1)
    np.testing.assert_allclose(means, turned, atol=2e-6)
    sh = prim.GetAttribute("radiance:sphericalHarmonicsCoefficients").Get(3)
    assert len(sh) == 4 * len(means)
    assert prim.GetAttribute("colorSpace:name").Get() == "srgb_rec709_display"


def test_what_does_not_change_is_in_the_usdc_once(head: Any, fake: Any, tmp_path: Path) -> None:
    bpy.ops.egstalker.export_usdc(filepath=str(tmp_path / "a.usdc"))
    _, samples = usd_samples(tmp_path / "a.usdc")
    assert samples["positions"] == samples["xformOp:transform"] == 0
    assert (tmp_path / "a.usdc").stat().st_size < 1.1 * 236 * 200 + 5000


@pytest.mark.parametrize("save_bytes", [0, 1 << 28])  # after each frame, or at the end
def test_an_attribute_that_rests_and_then_changes_keeps_its_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_bytes: int
) -> None:
    monkeypatch.setattr(usd, "SAVE_BYTES", save_bytes)
    bpy.utils.expose_bundled_modules()
    splats = activate(random_gaussians(5))
    moves = [0.0, 0.0, 0.0, 1.0, 1.0, 2.0]
    writer = usd.UsdWriter(tmp_path / "a.usdc", "1 head", (0, 5), 25.0, 0)
    for frame, move in enumerate(moves):
        means = splats.means + np.float32(move)
        writer.add(frame, Splats(means, *list(vars(splats).values())[1:]), np.eye(4))
    writer.finish()
    stage, samples = usd_samples(tmp_path / "a.usdc")
    assert samples["positions"] == 5 and samples["scales"] == 0
    attribute = stage.GetDefaultPrim().GetAttribute("positions")
    for time, move in [*enumerate(moves), (1.5, 0.0), (2.5, 0.5)]:
        np.testing.assert_allclose(attribute.Get(time), splats.means + move, atol=1e-6)


def test_the_current_frame_is_what_a_still_holds(head: Any, scene: Any, tmp_path: Path) -> None:
    """Also where Blender cannot import it."""
    scene.frame_set(4)
    head.location.x = 0.5
    bpy.ops.egstalker.export_glb(filepath=str(tmp_path / "b"))
    document, arrays = read_glb((tmp_path / "b.glb").read_bytes())
    matrix = np.reshape(document["nodes"][0]["matrix"], (4, 4)).T
    np.testing.assert_allclose(matrix[:3, 3], (0.5, 0, 0), atol=1e-6)
    world = arrays["POSITION"] + matrix[:3, 3]
    wanted = expected(head, 4).means
    np.testing.assert_allclose(
        world, np.stack([wanted.T[0], wanted.T[2], -wanted.T[1]], 1), atol=1e-5
    )


def test_a_stopped_sequence_goes_on_and_a_stopped_usdc_leaves_nothing(
    head: Any, fake: Any, tmp_path: Path
) -> None:
    fake.fail_at = 3
    for suffix in ("ply", "usdc"):
        fake.moments.clear()
        with pytest.raises(RuntimeError, match="asked to fail"):
            getattr(bpy.ops.egstalker, f"export_{suffix}")(filepath=str(tmp_path / f"a.{suffix}"))
    assert names(tmp_path) == ["a0002.ply", "a0003.ply", "voice.wav"]
    fake.moments.clear()
    fake.fail_at = 0
    bpy.ops.egstalker.export_ply(filepath=str(tmp_path / "a.ply"))
    assert len(fake.moments) == 1 and "a0004.ply" in names(tmp_path)
    assert len(read_ply(tmp_path / "a0004.ply")) == 200


def test_range_and_size_are_shown_before_writing(head: Any, scene: Any) -> None:
    context = SimpleNamespace(scene=scene, object=head)
    options = SimpleNamespace(
        kind="usdc", sh_degree=3, range_source="OWN", frame_start=1, frame_end=100, frame_step=10
    )
    cls = operators.Animation
    options.frames = lambda scene: cls.frames(options, scene)
    assert cls.size_line(options, context) == "10 frames, at most 0.5 MB"
    options.range_source = "SOUND"
    assert cls.size_line(options, context) == "At most 0.0 MB a frame"
    options.range_source = "SCENE"
    assert options.frames(scene) == (2, 3, 4)
    assert gather.megabytes(1_350_000_000) == "1.4 GB"


def test_why_nothing_can_be_exported(head: Any, scene: Any, tmp_path: Path) -> None:
    head.scale = (1, 2, 1)
    with pytest.raises(RuntimeError, match="apply its scale"):
        bpy.ops.egstalker.export_glb(filepath=str(tmp_path / "a.glb"))
    bpy.data.objects.remove(head)
    assert not bpy.ops.egstalker.export_glb.poll()
    assert names(tmp_path) == ["voice.wav"]


def test_the_scene_is_put_back(posed: Any, scene: Any) -> None:
    scene.frame_set(7, subframe=0.25)
    places = gather.places_of(bpy.context, posed, (2, 3, 4))
    assert (scene.frame_current, scene.frame_subframe) == (7, 0.25)
    steps = np.diff([place[0, 3] for place in places])
    assert math.isclose(steps.sum(), 0.25, abs_tol=1e-5) and (steps > 0.05).all()
