"""Run the network on the inputs of a reference file and measure the error of its outputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import InputError, MissingPackageError
from ...records.arrays import Float32
from ...records.gaussians import Gaussians, activate
from ..names import STATIC_HEADS
from ..numpy import reference
from ..numpy.basics import Arrays, linear, relu
from ..numpy.folded_network import prepare
from ..numpy.triplane import features
from .reference_file import STATIC_OUTPUTS, ReferenceFile

IMPLEMENTATIONS = ("numpy", "torch")
TOLERANCE = 1e-5  # absolute, on every output

Outputs = dict[str, Float32]


def largest_errors(file: ReferenceFile, implementation: str) -> dict[str, float]:
    """Output -> largest absolute error over the batch, and over both paths of the implementation:
    the plain one and the prepared deformer. Raises InputError (the sound does not fit, the outputs
    are not finite) and MissingPackageError."""
    run = _numpy_outputs if implementation == "numpy" else _torch_outputs
    errors = dict.fromkeys(file.outputs, 0.0)
    # Made-up weights may overflow, which is an error below, not a warning.
    with np.errstate(all="ignore"):
        for computed in run(file):
            for name, value in computed.items():
                if name in errors:
                    difference = _difference(file.outputs[name], value)
                    if not np.isfinite(difference):
                        raise InputError(f"the network's {name} is not finite with these weights")
                    errors[name] = max(errors[name], difference)
    return errors


def _difference(expected: Float32, value: Float32) -> float:
    wide = value.reshape(expected.shape).astype(np.float64)
    return float(np.abs(wide - expected).max())


def _numpy_outputs(file: ReferenceFile) -> Iterator[Outputs]:
    deformer = prepare(file.weights, file.gaussians)
    plain, prepared = [], []
    for windows, eye, pose in zip(file.windows, file.eyes, file.poses, strict=True):
        frame = reference.forward(file.weights, file.gaussians, windows, float(eye), pose)
        plain.append(_frame_outputs(frame.gaussians) | {"attention": frame.attention})
        code = deformer.encode_audio(windows)
        prepared.append(_frame_outputs(deformer.deform_raw(code, float(eye), pose, 1.0)))
    yield _stack(plain)
    yield _stack(prepared)
    if STATIC_OUTPUTS.keys() & file.outputs.keys():
        means = file.gaussians.means
        yield _static_outputs(means, static_attributes(file.weights.arrays, means))


def _torch_outputs(file: ReferenceFile) -> Iterator[Outputs]:
    try:
        import torch
    except ImportError:
        raise MissingPackageError(
            "torch is not installed in this Python: pip install torch, or use "
            "--implementation numpy"
        ) from None
    from ..torch import network as torch_network
    from ..torch.deformer import prepare_plain

    deformer = prepare_plain(file.weights, file.gaussians)
    prepared = []
    for windows, eye, pose in zip(file.windows, file.eyes, file.poses, strict=True):
        code = deformer.encode_audio(windows)
        prepared.append(_frame_outputs(deformer.deform_raw(code, float(eye), pose, 1.0)))
    yield _stack(prepared)
    network = torch_network.TorchNetwork(file.weights)
    with torch.no_grad():
        moved, attention = network(
            torch_network.raw_tensors(file.gaussians),
            torch.from_numpy(file.windows),
            torch.from_numpy(file.eyes),
            torch.from_numpy(file.poses),
        )
        batch = [Gaussians(*values) for values in zip(*(v.numpy() for v in moved), strict=True)]
        yield _stack([_frame_outputs(g) for g in batch]) | {"attention": attention.numpy()}
        if STATIC_OUTPUTS.keys() & file.outputs.keys():
            means = file.gaussians.means
            values = network.static_attributes(torch.from_numpy(means))
            yield _static_outputs(means, {name: v.numpy() for name, v in values.items()})


def static_attributes(arrays: Arrays, means: Float32) -> Outputs:
    """The first training stage, a still face from the tri-plane only (docs/method.md §3.3):
    means (N, 3) -> raw scales (N, 3), rotations (N, 4), opacity (N, 1), shs (N, 48)."""
    x = relu(linear(arrays, "tri_plane.feature_out.0", features(arrays, means)))
    x = relu(linear(arrays, "tri_plane.feature_out.2", x))
    return {
        head: linear(arrays, f"tri_plane.{head}.3", relu(linear(arrays, f"tri_plane.{head}.1", x)))
        for head in STATIC_HEADS
    }


def _frame_outputs(gaussians: Gaussians) -> Outputs:
    splats = activate(gaussians)
    return {
        "means3D": gaussians.means,
        "scales_raw": gaussians.log_scales,
        "rotations_raw": gaussians.quats,
        "opacity_raw": gaussians.opacity_logits,
        "shs": gaussians.sh,
        "scales_act": splats.scales,
        "rotations_act": splats.quats,
        "opacity_act": splats.opacities,
    }


def _static_outputs(means: Float32, attributes: Outputs) -> Outputs:
    return {"static_points": means} | {f"static_{name}": v for name, v in attributes.items()}


def _stack(frames: list[Outputs]) -> Outputs:
    return {name: np.stack([frame[name] for frame in frames]) for name in frames[0]}
