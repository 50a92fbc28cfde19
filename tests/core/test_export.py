"""Avatars written in the layout of the official trainers, and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.avatar.file import load_avatar, save_avatar
from core.cli import main
from core.errors import ArgumentError, CheckpointError, OutputError
from core.formats.ply import read_ply
from core.network.names import PREFIX
from core.network.official.compare import TOLERANCE, largest_errors
from core.network.official.reference_file import ReferenceFile
from core.network.torch.deformer import prepare_plain
from core.official.checkpoint import load_checkpoint
from core.official.export import state_dict, write_official
from core.records.avatar import Avatar
from core.records.weights import EGSTALKER, GAUSSIANTALKER, PAPER, NetworkWeights
from tests.support.avatar_inputs import small_avatar
from tests.support.events import result_of
from tests.support.synthetic import random_avatar, random_pose, random_windows
from tests.support.training_runs import OFFICIAL, SMALL, job_of, make_talking_clip, train


def avatar_of(kind: str, static: bool = False) -> Avatar:
    weights, gaussians = random_avatar(40, kind, resolution=4, agents=30, static=static)
    weights = replace(weights, frozen=frozenset({"scales", "sh"}), heads=8)
    return replace(small_avatar(), network=weights, gaussians=gaussians)


def assert_same(one: Avatar, folder: Path) -> None:
    """The avatar is what the folder holds, to the bit."""
    checkpoint = load_checkpoint(folder)
    assert checkpoint.notes == ()
    assert one.network is not None
    weights, own = checkpoint.network, one.network
    assert (weights.kind, weights.frozen) == (own.kind, own.frozen)
    assert weights.heads == (own.heads or {EGSTALKER: 16, GAUSSIANTALKER: 2}[own.kind])
    if own.kind == EGSTALKER:
        assert weights.agents == own.agents
    assert weights.arrays.keys() <= own.arrays.keys()
    for name, array in weights.arrays.items():
        assert np.array_equal(array, own.arrays[name]), name
    for name, value in vars(checkpoint.gaussians).items():
        assert np.array_equal(value, getattr(one.gaussians, name)), name


@pytest.mark.parametrize("kind", [EGSTALKER, GAUSSIANTALKER])
@pytest.mark.parametrize("static", [True, False])
def test_what_is_written_reads_back_the_same(tmp_path: Path, kind: str, static: bool) -> None:
    avatar = avatar_of(kind, static)
    where = write_official(avatar, tmp_path / "run")
    assert where == tmp_path / "run" / "point_cloud" / "iteration_1"
    assert sorted(path.name for path in where.iterdir()) == ["deformation.pth", "point_cloud.ply"]
    assert_same(avatar, tmp_path / "run")
    content = torch.load(where / "deformation.pth", weights_only=True)
    unprefixed = {name for name in content if not name.startswith(PREFIX)}
    assert unprefixed == {"pos_poc", "rotation_scaling_poc", "opacity_poc"}
    assert content[f"{PREFIX}tri_plane.grid.aabb"].shape == (2, 3)
    if static:
        assert content[f"{PREFIX}tri_plane.shs.3.weight"].any()


@pytest.mark.parametrize("kind", [EGSTALKER, GAUSSIANTALKER])
def test_names_and_shapes_are_the_official_files(shared: Path, kind: str) -> None:
    """All of them: the official loader refuses a file that lacks one."""
    listing = (shared / "reference" / f"{kind}_state_dict.txt").read_text()
    rows = [line.split("\t")[:2] for line in listing.splitlines() if not line.startswith("#")]
    weights, _ = random_avatar(40, kind, resolution=64, agents=200)
    written = {name: str(array.shape) for name, array in state_dict(weights).items()}
    assert written == {name: shape for name, shape in rows}


def test_positions_are_the_official_tables(shared: Path) -> None:
    name = f"{PREFIX}transformer.layers.0.PPE.pe"
    with np.load(shared / "reference" / "reference_egstalker.npz") as file:
        official = file[f"sd/{name}"]
    weights, _ = random_avatar(40, EGSTALKER)
    np.testing.assert_allclose(state_dict(weights)[name], official, atol=1e-6)


def test_the_iteration_is_the_checkpoints_or_the_trainings(tmp_path: Path) -> None:
    avatar = avatar_of(EGSTALKER)
    for number, provenance in enumerate(
        ({"iteration": 7}, {"settings": {"motion_steps": 7}}, {"iteration": "7", "settings": 7})
    ):
        where = write_official(replace(avatar, provenance=provenance), tmp_path / str(number))
        assert where.name == ("iteration_7" if number < 2 else "iteration_1")


def test_what_the_official_code_cannot_run_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "out"
    avatar = avatar_of(EGSTALKER)
    assert avatar.network is not None
    paper = NetworkWeights(PAPER, avatar.network.arrays)
    for network, what in ((paper, "'paper'"), (None, "a still")):
        with pytest.raises(ArgumentError, match=rf"{what}.*--ply"):
            write_official(replace(avatar, network=network), clip)
    broken = replace(avatar.network, arrays={**avatar.network.arrays, "null_vector": np.zeros(3)})
    with pytest.raises(CheckpointError):
        write_official(replace(avatar, network=broken), clip)
    assert not clip.exists()


def test_folders_that_hold_something_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match="not empty"):
        write_official(avatar_of(EGSTALKER), tmp_path)
    with pytest.raises(OutputError):
        write_official(avatar_of(EGSTALKER), tmp_path / "file")
    with pytest.raises(OutputError):
        write_official(avatar_of(EGSTALKER), tmp_path / "nowhere" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of head.egs in the official arrangement."""
    folder = tmp_path_factory.mktemp("trained")
    clip = make_talking_clip(folder)
    train(job_of(clip, folder / "official", OFFICIAL))
    train(job_of(clip, folder / "paper", SMALL))
    return folder


def test_a_trained_avatar_goes_out_and_comes_back(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    egs, run = trained / "official" / "head.egs", tmp_path / "run"
    assert main(["export", str(egs), str(run), "--json"]) == 0
    said = result_of(capsys.readouterr().out)
    assert said == {
        "event": "done",
        "path": str(run / "point_cloud" / "iteration_6"),
        "gaussians": 300,
    }
    avatar = load_avatar(egs)
    assert_same(avatar, run)
    assert main(["convert", str(run), str(tmp_path / "again.egs")]) == 0
    again = load_avatar(tmp_path / "again.egs")
    assert again.network is not None and avatar.network is not None
    for name, array in avatar.network.arrays.items():
        assert np.array_equal(again.network.arrays[name], array), name


def test_the_trained_avatar_passes_the_comparison_of_verify(trained: Path) -> None:
    """As `verify` does with the official outputs: here torch's are what numpy's must equal."""
    avatar = load_avatar(trained / "official" / "head.egs")
    assert avatar.network is not None
    windows = np.stack([random_windows(i) for i in range(3)])
    eyes = np.array([0.0, 0.4, 1.0])
    poses = np.stack([random_pose(i) for i in range(3)])
    deformer = prepare_plain(avatar.network, avatar.gaussians)
    frames = [
        deformer.deform_raw(deformer.encode_audio(window), eye, pose, 1.0)
        for window, eye, pose in zip(windows, eyes, poses, strict=True)
    ]
    outputs = {
        "means3D": np.stack([frame.means for frame in frames]),
        "scales_raw": np.stack([frame.log_scales for frame in frames]),
        "rotations_raw": np.stack([frame.quats for frame in frames]),
        "opacity_raw": np.stack([frame.opacity_logits[:, None] for frame in frames]),
        "shs": np.stack([frame.sh for frame in frames]),
    }
    file = ReferenceFile(avatar.network, avatar.gaussians, windows, eyes, poses, outputs)
    for implementation in ("numpy", "torch"):
        errors = largest_errors(file, implementation)
        assert errors.keys() == outputs.keys()
        assert max(errors.values()) <= TOLERANCE


def test_the_paper_kind_is_refused_in_one_line_and_its_ply_is_written(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    egs = str(trained / "paper" / "head.egs")
    assert main(["export", egs, str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "'paper'" in error and "--ply" in error and error.count("\n") == 1
    assert main(["export", egs, str(tmp_path / "run"), "--ply"]) == 2
    capsys.readouterr()
    ply = tmp_path / "head.ply"
    assert main(["export", egs, str(ply), "--ply"]) == 0
    gaussians = load_avatar(egs).gaussians
    assert f"{len(gaussians.means)} Gaussians" in capsys.readouterr().out
    for name, value in vars(read_ply(ply)).items():
        assert np.array_equal(value, getattr(gaussians, name)), name
    assert list(tmp_path.iterdir()) == [ply]


def test_a_still_has_a_ply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    avatar = small_avatar(network=False)
    save_avatar(avatar, tmp_path / "a.egs")
    assert main(["export", str(tmp_path / "a.egs"), str(tmp_path / "a.PLY"), "--ply"]) == 0
    capsys.readouterr()
    assert np.array_equal(read_ply(tmp_path / "a.PLY").means, avatar.gaussians.means)
