"""Output of other trainers: named, or its splats are a still head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.avatar.file import load_avatar
from core.cli import main
from core.errors import CheckpointError, PlyError
from core.formats.ply import read_ply
from core.formats.ply_writer import write_ply
from core.official import torch_splats
from core.official.importing import ImportOptions, import_avatar
from core.official.torch_splats import read_torch_splats
from core.records.gaussians import Gaussians
from tests.support.avatar_inputs import state_dict
from tests.support.synthetic import random_avatar, random_gaussians


def tensors_of(gaussians: Gaussians) -> Mapping[str, torch.Tensor]:
    sh = torch.from_numpy(gaussians.sh)
    return {
        "means": torch.from_numpy(gaussians.means),
        "scales": torch.from_numpy(gaussians.log_scales),
        "quats": torch.from_numpy(gaussians.quats),
        "opacities": torch.from_numpy(gaussians.opacity_logits),
        "dc": sh[:, :1],
        "rest": sh[:, 1:],
    }


def saved_by_gsplat(gaussians: Gaussians, path: Path) -> None:
    t = dict(tensors_of(gaussians))
    t["sh0"], t["shN"] = t.pop("dc"), t.pop("rest")
    torch.save({"step": 29_999, "splats": torch.nn.ParameterDict(t).state_dict()}, path)


def saved_by_nerfstudio(gaussians: Gaussians, path: Path) -> None:
    t = dict(tensors_of(gaussians))
    t["features_dc"], t["features_rest"] = t.pop("dc")[:, 0], t.pop("rest")
    t["opacities"] = t["opacities"][:, None]
    pipeline = {f"_model.gauss_params.{name}": tensor for name, tensor in t.items()}
    pipeline["_model.camera_optimizer.pose_adjustment"] = torch.zeros(2, 6)
    torch.save({"step": 9, "pipeline": pipeline, "optimizers": {}, "schedulers": {}}, path)


def saved_by_3dgs(gaussians: Gaussians, path: Path) -> None:
    t = tensors_of(gaussians)
    order = ("means", "dc", "rest", "scales", "quats", "opacities")
    parts = [torch.nn.Parameter(t[name]) for name in order]
    parts[-1] = torch.nn.Parameter(t["opacities"][:, None])
    ends = (torch.zeros(3), torch.zeros(3, 1), torch.zeros(3, 1), {"state": {}}, 5.0)
    torch.save(((3, *parts, *ends), 30_000), path)


@pytest.mark.parametrize("save", [saved_by_gsplat, saved_by_nerfstudio, saved_by_3dgs])
def test_splats_in_checkpoints_of_other_trainers_are_a_still(
    tmp_path: Path, save: Callable[[Gaussians, Path], None]
) -> None:
    gaussians = random_gaussians(50)
    save(gaussians, tmp_path / "a.ckpt")
    found = read_torch_splats(tmp_path / "a.ckpt")
    for name, array in vars(gaussians).items():
        assert np.array_equal(getattr(found, name), array), name
    gaussians.means[3] = np.nan  # at most one in a hundred: of 50 this is too many
    save(gaussians, tmp_path / "a.ckpt")
    with pytest.raises(PlyError, match="1 of 50"):
        import_avatar(tmp_path / "a.ckpt", ImportOptions())


def test_a_still_of_gsplat_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved_by_gsplat(random_gaussians(50), tmp_path / "ckpt_9_rank0.pt")
    out = tmp_path / "a.egs"
    assert main(["convert", str(tmp_path / "ckpt_9_rank0.pt"), str(out)]) == 0
    assert load_avatar(out).network is None
    assert "still head that does not speak" in capsys.readouterr().err


WRONG_SPLATS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no scales": (lambda t: t.pop("scales"), "no Gaussians that are known"),
    "surfels": (lambda t: t.update(scales=torch.zeros(50, 2)), "2D Gaussian Splatting"),
    "shorter": (lambda t: t.update(quats=torch.zeros(49, 4)), "quats is 49 x 4, expected 50 x 4"),
    "harmonics": (lambda t: t.update(shN=torch.zeros(50, 5, 3)), "5 coefficients"),
    "none": (lambda t: t.update(means=torch.zeros(0, 3)), "holds no Gaussians"),
    "endless": (lambda t: t.update(means=torch.zeros(1).expand(2**40, 3)), "holds no Gaussians"),
}


@pytest.mark.parametrize("name", WRONG_SPLATS)
def test_wrong_splats_are_named(tmp_path: Path, name: str) -> None:
    change, message = WRONG_SPLATS[name]
    t = dict(tensors_of(random_gaussians(50)))
    t["sh0"], t["shN"] = t.pop("dc"), t.pop("rest")
    change(t)
    torch.save({"splats": t}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=message):
        read_torch_splats(tmp_path / "a.pt")


STATES: dict[str, tuple[Any, str]] = {
    "ER-NeRF": ({"epoch": 3, "model": {"sigma_net.net.0.weight": torch.ones(2)}}, "ER-NeRF"),
    "Wav2Lip": ({"state_dict": {"module.face_encoder_blocks.0": torch.ones(2)}}, "Wav2Lip"),
    "optimiser": ({"state": {}, "param_groups": []}, "an optimiser"),
    "resumable": (
        ((3, torch.ones(2, 3), {"w": torch.ones(2)}, *[torch.ones(2)] * 8), 10_000),
        "a state to resume",
    ),
    "other": ({"a": torch.ones(2)}, "no Gaussians that are known"),
}


@pytest.mark.parametrize("name", STATES)
def test_other_states_are_named(tmp_path: Path, name: str) -> None:
    content, message = STATES[name]
    torch.save(content, tmp_path / "chkpnt.pth")
    with pytest.raises(CheckpointError, match=message):
        import_avatar(tmp_path / "chkpnt.pth", ImportOptions())


def test_a_network_without_its_cloud_is_named(tmp_path: Path) -> None:
    torch.save(state_dict(random_avatar(resolution=4)[0]), tmp_path / "copy.pth")
    with pytest.raises(CheckpointError, match="a network without its Gaussians"):
        import_avatar(tmp_path / "copy.pth", ImportOptions())


FOLDERS: dict[str, tuple[tuple[str, ...], str]] = {
    "ER-NeRF": (("checkpoints/ngp_ep0019.pth",), "RAD-NeRF, ER-NeRF or SyncTalk"),
    "GeneFace": (("model_ckpt_steps_9.ckpt", "config.yaml"), "GeneFace"),
    "TalkingGaussian": (
        ("chkpnt_face_latest.pth", "point_cloud/iteration_9/point_cloud.ply"),
        r"TalkingGaussian.*still head give .*iteration_9.point_cloud\.ply",
    ),
    "Scaffold-GS": (("point_cloud/iteration_9/color_mlp.pt",), "Scaffold-GS"),
    "GaussianAvatars": (("point_cloud/iteration_9/flame_param.npz",), "GaussianAvatars"),
    "Deformable": (
        ("deform/iteration_9/deform.pth", "point_cloud/iteration_9/point_cloud.ply"),
        "Deformable 3D Gaussians.*still head give",
    ),
    "SuGaR": (("refined_ply/head/a.ply",), r"SuGaR.*still head give .*a\.ply"),
    "nerfstudio": (
        ("config.yml", "nerfstudio_models/step-000029999.ckpt"),
        "nerfstudio.*still head give .*step-000029999",
    ),
    "gsplat": (
        ("ckpts/ckpt_6999_rank0.pt", "ply/point_cloud_6999.ply", "ply/point_cloud_29999.ply"),
        r"gsplat.*still head give .*point_cloud_29999\.ply",
    ),
    "3DGS": (
        ("cameras.json", "point_cloud/iteration_7000/point_cloud.ply"),
        r"deformation.pth is missing.*3D or 2D.*point_cloud\.ply for a still head",
    ),
    "nothing": ((), "no folder 'point_cloud'"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_other_trainers_are_named(tmp_path: Path, name: str) -> None:
    files, message = FOLDERS[name]
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(CheckpointError, match=message):
        import_avatar(tmp_path, ImportOptions())


def test_anchors_of_scaffold_gs_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    write_ply(random_gaussians(3), path)
    path.write_bytes(path.read_bytes().replace(b"f_dc_0", b"f_offset_0"))
    with pytest.raises(PlyError, match="anchors of Scaffold-GS"):
        read_ply(path)


def test_the_limit_of_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved_by_gsplat(random_gaussians(50), tmp_path / "a.pt")
    monkeypatch.setattr(torch_splats, "MAX_FILE", 1000)
    with pytest.raises(CheckpointError, match="more than"):
        read_torch_splats(tmp_path / "a.pt")
