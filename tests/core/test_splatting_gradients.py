"""Gradients: numba's compared with plain torch's autograd, and that with finite differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("numba", reason="numba is not installed")
import torch

from core.training.rasterisers import numba as splat_numba_torch
from tests.support import plain_rasteriser
from tests.support.narrow_vectors import run_with_vectors_of_eight
from tests.support.splatting_scenes import (
    INPUTS,
    first,
    gradients,
    loss_of,
    run,
    scenes,
    slopes,
    small_camera,
    tensors,
)

SMALL = scenes()
# Of the norm of all gradients of an input. Plain torch in float32 is up to 2e-5 from float64.
TOLERANCE = 2e-5
# Scenes whose Gaussians reach so near, or are so thin, that float32 pixels cost digits.
ROUGH = {"needles": 2e-4, "near plane": 1e-4}


def compare(name: str, degree: int) -> None:
    view = small_camera()
    found = gradients(splat_numba_torch.splat, SMALL[name], view, degree)
    truth = gradients(plain_rasteriser.splat, SMALL[name], view, degree, torch.float64)
    for key in INPUTS:
        error = np.linalg.norm(found[key] - truth[key])
        assert error <= ROUGH.get(name, TOLERANCE) * np.linalg.norm(truth[key]), key


@pytest.mark.parametrize("name", SMALL)
def test_gradients_are_those_of_the_plain_twin(name: str) -> None:
    compare(name, 3)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_gradients_of_every_degree(degree: int) -> None:
    compare("head", degree)


def test_scenes_hold_what_they_are_named_for() -> None:
    view = small_camera()
    pictures = {name: run(splat_numba_torch.splat, tensors(SMALL[name]), view, 3) for name in SMALL}
    assert (pictures["saturated"].alpha > 0.999).float().mean() > 0.2
    assert (pictures["off screen"].radii == 0).sum() > 20
    assert (pictures["near plane"].radii == 0).sum() > 20
    assert pictures["faint"].alpha.max() == 0
    unlit = gradients(splat_numba_torch.splat, SMALL["dark"], view, 3)["sh"][:, 0]
    assert (unlit == 0).any() and (unlit != 0).any()


def test_gradients_of_alpha_alone_and_of_colour_alone() -> None:
    view = small_camera()
    for part in ("alpha", "colour"):
        results = []
        for splat in (splat_numba_torch.splat, plain_rasteriser.splat):
            inputs = tensors(first(SMALL["head"], 60))
            loss = (getattr(run(splat, inputs, view, 2), part) ** 2).mean()
            results.append(slopes(loss, inputs))
        fast, plain = results
        for name in INPUTS:
            most = np.abs(plain[name]).max()
            assert np.abs(fast[name] - plain[name]).max() <= 1e-4 * most, name
            assert most > 0 or (part, name) == ("alpha", "sh")


@pytest.mark.parametrize("name", INPUTS)
def test_the_plain_twin_agrees_with_finite_differences(name: str) -> None:
    """Where no threshold is near: the loss is smooth but for pixels that cross 1/255, whose jump
    is hidden by a step so small that none crosses."""
    view, position = small_camera(), INPUTS.index(name)
    scene = first(SMALL["head"], 12)
    truth = gradients(plain_rasteriser.splat, scene, view, 3, torch.float64)[name].ravel()
    step = 1e-7
    for index in np.argsort(np.abs(truth))[[-1, -2, -5, len(truth) // 2 - len(truth)]]:
        values = []
        for sign in (1, -1):
            inputs = [x.detach() for x in tensors(scene, torch.float64)]
            inputs[position].view(-1)[index] += sign * step
            values.append(loss_of(run(plain_rasteriser.splat, inputs, view, 3), view).item())
        found = (values[0] - values[1]) / (2 * step)
        assert found == pytest.approx(truth[index], rel=1e-5, abs=1e-6 * np.abs(truth).max())


def test_the_probe_moves_nothing_and_measures_in_pixels() -> None:
    """A shift of the centres in pixels is a shift of the camera's principal point."""
    view, scene = small_camera(), first(SMALL["head"], 40)
    probe = gradients(splat_numba_torch.splat, scene, view, 0)["probe"].sum(axis=0)
    inputs = tensors(scene, torch.float64)
    step = 1e-6
    for axis in (0, 1):
        values = []
        for sign in (1, -1):
            moved = inputs[5].detach().clone()
            moved[:, axis] += sign * step
            picture = run(plain_rasteriser.splat, [*inputs[:5], moved], view, 0)
            values.append(loss_of(picture, view).item())
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(probe[axis], rel=1e-3)


NARROW = """
import sys
import numpy as np
from core.system.numba_vectors import WIDTH
from core.training.rasterisers.numba import splat
from tests.support.splatting_scenes import gradients, scenes, small_camera
assert WIDTH == 8, "compiled for vectors of 16"
np.savez(sys.argv[1], **gradients(splat, scenes()["saturated"], small_camera(), 3))
"""


def test_vectors_of_eight_give_the_same_gradients(tmp_path: Path) -> None:
    """The path of processors without AVX-512, whatever this one has."""
    out = tmp_path / "narrow.npz"
    run_with_vectors_of_eight(NARROW, tmp_path, str(out))
    truth = gradients(plain_rasteriser.splat, SMALL["saturated"], small_camera(), 3, torch.float64)
    with np.load(out) as found:
        for key in INPUTS:
            error = np.linalg.norm(found[key] - truth[key])
            assert error <= TOLERANCE * np.linalg.norm(truth[key]), key
