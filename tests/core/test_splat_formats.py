"""The writers of splat files, each read back by a reader that shares no code with it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import MissingPackageError, OutputError
from core.formats.glb import glb_chunks
from core.formats.ply import read_ply
from core.formats.ply_writer import write_ply
from core.formats.spz import spz_bytes
from core.formats.usd import UsdWriter
from core.records.gaussians import activate, deactivate
from core.render.place import Y_DOWN, moved, scaled, sh_rotations, split
from core.render.sh import colours
from tests.support.splat_files import covariances, placed, read_glb, read_spz
from tests.support.synthetic import random_gaussians

N = 60


@pytest.mark.parametrize("place", [placed(), Y_DOWN, placed(2.9) @ Y_DOWN])
def test_moved_splats_look_the_same_to_a_camera_that_moved_with_them(place) -> None:
    splats = activate(random_gaussians(N))
    world = moved(splats, place)
    rigid, scale = split(place)
    np.testing.assert_allclose(scale * rigid[:3, :3], place[:3, :3], atol=1e-12)
    centre = np.array([0.4, 0.2, 7.0])
    seen = colours(splats.means.astype(float), splats.sh, centre, 3)
    moved_centre = place[:3, :3] @ centre + place[:3, 3]
    seen_there = colours(world.means.astype(float), world.sh, moved_centre, 3)
    assert np.abs(seen - seen_there).max() < 2e-6
    assert np.ptp(splats.sh[:, 1:] - world.sh[:, 1:]) > 0.01  # they did have to turn
    own = covariances(splats.quats, splats.scales)
    linear = place[:3, :3]
    expected = linear @ own @ linear.T
    np.testing.assert_allclose(covariances(world.quats, world.scales), expected, atol=1e-7)


def test_turning_twice_is_turning_once_by_both() -> None:
    one, two = placed(0.5, 1.0)[:3, :3], placed(-1.3, 1.0)[:3, :3].T
    both = sh_rotations(two @ one)
    for first, second, matrix in zip(sh_rotations(one), sh_rotations(two), both, strict=True):
        np.testing.assert_allclose(second @ first, matrix, atol=1e-12)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-12)


def test_raw_values_activate_to_the_same_splats() -> None:
    splats = activate(random_gaussians(N))
    splats.opacities[:3] = (0, 1, 1e-12)
    splats.scales[0] = 0
    again = activate(deactivate(splats))
    for name, values in vars(splats).items():
        np.testing.assert_allclose(getattr(again, name), values, rtol=2e-6, atol=3e-9)


@pytest.mark.parametrize("degree", range(4))
def test_ply_is_read_by_plyfile(tmp_path: Path, degree: int) -> None:
    plyfile = pytest.importorskip("plyfile")
    gaussians = random_gaussians(N)
    write_ply(gaussians, tmp_path / "a.ply", degree, ("a note",))
    file = plyfile.PlyData.read(tmp_path / "a.ply")
    assert file.comments == ["a note"]
    vertex, rest = file["vertex"], (degree + 1) ** 2 - 1
    names = {p.name for p in vertex.properties}
    assert sum(name.startswith("f_rest_") for name in names) == 3 * rest
    for axis, name in enumerate("xyz"):
        assert np.array_equal(vertex[name], gaussians.means[:, axis])
    for channel in range(3):
        assert np.array_equal(vertex[f"f_dc_{channel}"], gaussians.sh[:, 0, channel])
        for k in range(rest):
            found = vertex[f"f_rest_{channel * rest + k}"]
            assert np.array_equal(found, gaussians.sh[:, 1 + k, channel])
    assert np.array_equal(vertex["opacity"], gaussians.opacity_logits)
    assert np.array_equal(vertex["rot_3"], gaussians.quats[:, 3])
    assert not read_ply(tmp_path / "a.ply").sh[:, 1 + rest :].any()


@pytest.mark.parametrize("degree", range(4))
def test_glb_holds_the_splats_as_the_extension_says(degree: int) -> None:
    splats, (place, _) = activate(random_gaussians(N)), split(placed())
    document, arrays = read_glb(b"".join(glb_chunks(splats, "a head", place, degree)))
    assert document["extensionsUsed"] == ["KHR_gaussian_splatting"]
    [node] = document["nodes"]
    np.testing.assert_allclose(np.reshape(node["matrix"], (4, 4)).T, place)
    [primitive] = document["meshes"][0]["primitives"]
    assert primitive["mode"] == 0
    extension = primitive["extensions"]["KHR_gaussian_splatting"]
    assert extension == {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    assert np.array_equal(arrays["POSITION"], splats.means)
    x, y, z, w = arrays["KHR_gaussian_splatting:ROTATION"].T
    assert np.array_equal(np.stack([w, x, y, z], 1), splats.quats)
    assert np.array_equal(arrays["KHR_gaussian_splatting:SCALE"], splats.scales)
    assert np.array_equal(arrays["KHR_gaussian_splatting:OPACITY"][:, 0], splats.opacities)
    k = 0
    for order in range(degree + 1):
        for n in range(2 * order + 1):
            name = f"KHR_gaussian_splatting:SH_DEGREE_{order}_COEF_{n}"
            assert np.array_equal(arrays[name], splats.sh[:, k])
            k += 1
    assert sum("COEF" in name for name in arrays) == k
    expected = 255 * np.clip(0.28209479 * splats.sh[:, 0] + 0.5, 0, 1)
    assert np.abs(arrays["COLOR_0"][:, :3] - expected).max() <= 0.5001


@pytest.mark.parametrize("degree", range(4))
def test_spz_holds_the_splats_within_its_steps(degree: int) -> None:
    gaussians = deactivate(scaled(activate(random_gaussians(N)), 0.1))
    data = spz_bytes(gaussians, degree)
    assert data == spz_bytes(gaussians, degree)
    found = read_spz(data)
    assert np.abs(found["means"] - gaussians.means).max() <= 2**-21 + 1e-9
    assert np.abs(found["opacities"] - activate(gaussians).opacities).max() <= 0.51 / 255
    assert np.abs(found["dc"] - gaussians.sh[:, 0]).max() <= 0.51 / 255 / 0.15
    assert np.abs(found["log_scales"] - gaussians.log_scales).max() <= 0.0313
    own = covariances(gaussians.quats, np.array([[1, 2, 3]] * N))
    assert np.abs(covariances(found["quats"], np.array([[1, 2, 3]] * N)) - own).max() < 0.05
    rest = gaussians.sh[:, 1 : (degree + 1) ** 2]
    assert np.abs(found["sh"] - rest).max(initial=0) <= 0.501 / 128


def test_spz_takes_far_splats_with_coarser_steps_and_refuses_the_rest() -> None:
    gaussians = random_gaussians(N)
    gaussians.means[0] = (5000, 0, 0)
    found = read_spz(spz_bytes(gaussians, 0))
    assert np.abs(found["means"] - gaussians.means).max() <= 1 / 1024
    gaussians.means[0] = (1e8, 0, 0)
    with pytest.raises(OutputError, match="cannot hold"):
        spz_bytes(gaussians, 0)


def test_usdc_without_openusd_names_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(MissingPackageError, match="in Blender"):
        UsdWriter(tmp_path / "a.usdc", "head", (1, 2), 25.0)
    assert list(tmp_path.iterdir()) == []
