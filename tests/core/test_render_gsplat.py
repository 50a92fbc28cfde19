"""gsplat: its arguments, and its picture on a GPU (test_gsplat_reference.py needs no GPU)."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import MissingPackageError
from core.render import reference
from core.render.cuda import gsplat
from core.render.sh import colours
from tests.support.render_scenes import camera, decibels, hard_cases, head, noise

pytest.importorskip("torch", reason="torch is not installed")
import torch

from tests.support.pretend_gsplat import arguments_of


@pytest.mark.parametrize("degree", [0, 3])
def test_arguments(degree: int) -> None:
    scene, view = hard_cases()["opaque"], camera()
    given = arguments_of(scene, view, degree)
    tensors = {name: value for name, value in given.items() if torch.is_tensor(value)}
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "means": (1, 2500, 3),
        "quats": (1, 2500, 4),
        "scales": (1, 2500, 3),
        "opacities": (1, 2500),
        "colors": (1, 2500, 3),
        "viewmats": (1, 1, 4, 4),
        "Ks": (1, 1, 3, 3),
    }
    assert all(value.dtype == torch.float32 for value in tensors.values())
    assert given["opacities"].max() <= np.float32(0.99)
    expected = colours(scene.means.astype(np.float64), scene.sh, view.centre, degree)
    assert np.abs(given["colors"][0].numpy() - expected).max() < 1e-5
    assert (given["near_plane"], given["eps2d"], given["packed"]) == (np.float32(0.2), 0.3, False)


def test_where_it_cannot_run_it_says_why() -> None:
    reason = gsplat.available()
    if reason is None:
        pytest.skip("gsplat runs here")
    assert "\n" not in reason
    with pytest.raises(MissingPackageError) as caught:
        gsplat.rasterise(head(1), camera())
    assert str(caught.value) == reason


@pytest.mark.parametrize("name", ["head", "off screen", "one", "none"])
def test_picture_on_a_gpu(name: str) -> None:
    reason = gsplat.available()
    if reason is not None:
        pytest.skip(f"needs a CUDA device: {reason}")
    scene = hard_cases()[name]
    for background in (None, noise()):
        truth = reference.rasterise(scene, camera(), background)
        image = gsplat.rasterise(scene, camera(), background)
        # The footprint ends elsewhere: 79 dB and 2.4/255 were measured on a synthetic head.
        assert decibels(image, truth) >= 65
        assert np.abs(image - truth).max() <= 4 / 255
