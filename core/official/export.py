"""An avatar in the layout of the official trainers (docs/method.md §4): cfg_args, and in
point_cloud/iteration_N/ point_cloud.ply and deformation.pth. checkpoint.py reads it back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, MissingPackageError, OutputError
from ..formats.ply_writer import write_ply
from ..network.architecture import KINDS, architecture_of
from ..network.checks import check_weights
from ..network.names import (
    PREFIX,
    STATIC_HEADS,
    grid_name,
    layer_prefix,
)
from ..network.numpy.tokens import positions
from ..records.arrays import Float32
from ..records.avatar import Avatar
from ..records.weights import NetworkWeights
from ..system.files import reason, write_atomic
from .cfg_args import FREEZE_FLAGS

Array = Float32

PLACES = 625  # rows of the official table of positions
# Layers that the official code makes and never uses; its loader refuses a file without them.
_UNUSED_MLPS = {
    "aud_ch_att_net": (32, 64, 32),
    "eye_att_net": (32, 16, 1),
    "enc_x_mlp": (32, 64, 64),
}
_WAVES = {"pos_poc": 10, "rotation_scaling_poc": 2, "opacity_poc": 2}
STATIC_WIDTH = 128


def write_official(avatar: Avatar, folder: Path) -> Path:
    """Write to `folder`, which must be new or empty; returns the folder of the iteration.
    ArgumentError if the official code has no such network, or the folder is not empty; OutputError,
    MissingPackageError (torch)."""
    network = avatar.network
    if network is None or not KINDS[network.kind].official:
        kind = "a still" if network is None else f"of the kind {network.kind!r}"
        raise ArgumentError(
            f"{avatar.name} is {kind}, which the official code cannot run; train with "
            "--arrangement official, or write its Gaussians alone with --ply"
        )
    check_weights(network, avatar.gaussians)
    content = _saved(state_dict(network))
    iteration = _iteration(avatar.provenance)
    where = folder / "point_cloud" / f"iteration_{iteration}"
    _make(folder, where)
    write_atomic(folder / "cfg_args", [cfg_args(network, iteration).encode()])
    write_ply(avatar.gaussians, where / "point_cloud.ply")
    write_atomic(where / "deformation.pth", [content])
    return where


def state_dict(network: NetworkWeights) -> dict[str, Array]:
    """All tensors of the official file under their full names. Those that inference never reads are
    zero if the avatar lacks them."""
    arrays = dict(network.arrays)
    dim = arrays["null_vector"].size
    architecture = architecture_of(network)
    kan = architecture.kan

    def zeros(name: str, *shape: int) -> None:
        arrays.setdefault(name, np.zeros(shape, np.float32))

    def linear(name: str, out: int, inputs: int) -> None:
        zeros(f"{name}.weight", out, inputs)
        zeros(f"{name}.bias", out)

    for layer in range(architecture.layers):
        prefix = layer_prefix(layer)
        if architecture.esaa:
            arrays[f"{prefix}PPE.pe"] = positions(PLACES, dim)[None]
            linear(f"{prefix}enc_dec_attention.proj", dim, dim)
            linear(f"{prefix}enc_dec_attention.attention_proj_layer", dim, network.agents)
    for mlp, widths in _UNUSED_MLPS.items():
        for i in (0, 1):
            inputs, out = widths[i : i + 2]
            zeros(f"{mlp}.net.{i}.{'base_weight' if kan else 'weight'}", out, inputs)
            if kan:
                zeros(f"{mlp}.net.{i}.taylor_coeffs", out, inputs, 3)
                zeros(f"{mlp}.net.{i}.bias", out)
    linear("tri_plane.feature_out.0", STATIC_WIDTH, dim)
    linear("tri_plane.feature_out.2", STATIC_WIDTH, STATIC_WIDTH)
    for head, width in STATIC_HEADS.items():
        linear(f"tri_plane.{head}.1", STATIC_WIDTH, STATIC_WIDTH)
        linear(f"tri_plane.{head}.3", width, STATIC_WIDTH)
    waves = {name: 2 ** np.arange(count, dtype=np.float32) for name, count in _WAVES.items()}
    return waves | {PREFIX + name: array for name, array in arrays.items()}


def cfg_args(network: NetworkWeights, iteration: int) -> str:
    """The settings that define the network's shape and flags."""
    arrays, architecture = network.arrays, architecture_of(network)
    sides = [int(arrays[grid_name(level, 0)].shape[2]) for level in range(architecture.levels)]
    settings: dict[str, Any] = {
        "sh_degree": 3,
        "iterations": iteration,
        "d_model": arrays["null_vector"].size,
        "n_head": architecture.heads,
        "n_layer": architecture.layers,
        "ffn_hidden": int(arrays[f"{layer_prefix(0)}ffn.linear1.weight"].shape[0]),
        "net_width": int(arrays["pos_deform.1.weight"].shape[0]),
        "bounds": 1.6,
        "kplanes_config": {
            "grid_dimensions": 2,
            "input_coordinate_dim": 3,
            "output_coordinate_dim": int(arrays[grid_name(0, 0)].shape[1]),
            "resolution": [sides[0]] * 3,
        },
        "multires": [side // sides[0] for side in sides],
        **{flag: name in network.frozen for flag, name in FREEZE_FLAGS.items()},
    }
    if architecture.esaa:
        settings["agent_num"] = network.agents
    return f"Namespace({', '.join(f'{key}={value!r}' for key, value in settings.items())})"


def _iteration(provenance: Mapping[str, Any]) -> int:
    """The iteration of the imported checkpoint, else the motion steps of the training, else 1."""
    settings = provenance.get("settings")
    steps = settings.get("motion_steps") if isinstance(settings, Mapping) else None
    numbers = (provenance.get("iteration"), steps)
    whole = [n for n in numbers if type(n) is int and 0 < n < 10**9]
    return whole[0] if whole else 1


def _saved(tensors: Mapping[str, Array]) -> bytes:
    try:
        import torch
    except ImportError:
        raise MissingPackageError(
            "writing deformation.pth needs PyTorch; install it with: pip install torch"
        ) from None
    file = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(a)) for name, a in tensors.items()}, file)
    return file.getvalue()


def _make(folder: Path, where: Path) -> None:
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise ArgumentError(f"{folder} is not empty; give a new folder")
        folder.mkdir(exist_ok=True)
        where.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {reason(error)}") from None
