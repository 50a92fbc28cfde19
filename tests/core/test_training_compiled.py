"""numba's layers and losses of a training on a CPU: equal to torch's, whatever the threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.network.build import NetworkPlan, new_weights
from core.network.numba import parts
from core.network.torch import compiled_layers, layers
from core.network.torch.network import FIXED
from core.records.weights import PAPER
from core.training import losses
from core.training.config import Losses
from core.training.head import Head
from core.training.numba import pictures
from core.training.numba import ssim as ssim_kernels
from core.training.stages import parted
from tests.core.test_training_network import make_head
from tests.support.narrow_vectors import run_with_vectors_of_eight
from tests.support.synthetic import random_pose

# Of the largest value. Both round to float32, whose last digit is 6e-8, in another order over up to
# a thousand products; torch's own layers differ from float64 by up to 6e-6.
CLOSE = 1e-5
Layer = Callable[..., Tensor]
Run = tuple[Tensor, dict[str, Tensor]]


def parameters(agents: int, hidden: int, decoder: int) -> dict[str, Tensor]:
    """Of a small network away from its beginning."""
    box, rng = np.ones(3), np.random.default_rng(0)
    poses = rng.normal(size=(9, 12))
    plan = NetworkPlan(PAPER, 6, -box, box, poses, 4, agents, hidden=hidden, decoder=decoder)
    return {
        name: torch.from_numpy(array + (0 if name in FIXED else 0.1) * rng.normal(size=array.shape))
        for name, array in new_weights(plan, 1).arrays.items()
    }


def run(layer: Layer, given: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> Run:
    """The result of layer(values by name), and the gradients of all values that it uses."""
    leaves = {name: value.to(dtype, copy=True).requires_grad_() for name, value in given.items()}
    out = layer(leaves)
    rng = np.random.default_rng(9)
    (out * torch.from_numpy(rng.normal(size=out.shape)).to(dtype)).sum().backward()
    slopes = {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    return out.detach(), slopes


def assert_close(fast: Run, exact: Run, least: float = 0.1) -> None:
    """least: what an error is compared with where all true values are smaller, as they are
    differences of values near 1."""
    (out, slopes), (expected, expected_slopes) = fast, exact
    assert set(slopes) == set(expected_slopes)
    pairs = [(out, expected), *((slopes[name], expected_slopes[name]) for name in slopes)]
    for one, other in pairs:
        error = (one.double() - other.double()).abs().max()
        assert error <= CLOSE * other.abs().max().clamp(min=least)


def moving_inputs(count: int, frames: int, agents: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(1)
    return {
        "x": torch.from_numpy(rng.normal(size=(count, 64))),
        "shares": torch.from_numpy(rng.dirichlet(np.ones(agents), size=count)),
        "mix": torch.from_numpy(rng.dirichlet(np.ones(4), size=(frames, agents))),
        "keys": torch.from_numpy(rng.normal(size=(frames, 4, 64))),
    }


def torchs_offsets(p: dict[str, Tensor]) -> Tensor:
    attended = (p["shares"] @ p["mix"]) @ p["keys"]
    return layers.decoded(p, layers.feed_forward(p, 0, p["x"][None], attended))


def numbas_offsets(p: dict[str, Tensor]) -> Tensor:
    return compiled_layers.offsets(p, 0, p["x"], p["shares"], p["mix"], p["keys"])


# Not whole blocks, tiles or parts; less than one of each; wider than a tile in every way.
SIZES = [(1000, 2, 10, 24, 13), (1537, 1, 64, 64, 32), (3, 1, 1, 1, 1), (193, 3, 200, 128, 48)]


@pytest.mark.parametrize("count, frames, agents, hidden, decoder", SIZES)
def test_offsets_and_their_gradients_are_torchs(
    count: int, frames: int, agents: int, hidden: int, decoder: int
) -> None:
    given = parameters(agents, hidden, decoder) | moving_inputs(count, frames, agents)
    given = {name: value for name, value in given.items() if value.is_floating_point()}
    exact = run(torchs_offsets, given, torch.float64)
    assert len(exact[1]) == 4 + 14  # all weights between the tokens and the offsets
    assert_close(run(numbas_offsets, given), exact)


def kan_inputs(count: int, width: int, outputs: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(2)
    shapes = {
        "x": (count, width), "kan.base_weight": (outputs, width),
        "kan.taylor_coeffs": (outputs, width, 3), "kan.bias": (outputs,),
    }  # fmt: skip
    return {name: torch.from_numpy(rng.normal(size=shape)) for name, shape in shapes.items()}


@pytest.mark.parametrize("count, width, outputs", [(1000, 64, 64), (1537, 15, 14), (1, 1, 1)])
def test_a_kan_and_its_gradients_are_torchs(count: int, width: int, outputs: int) -> None:
    given = kan_inputs(count, width, outputs)
    exact = run(lambda p: layers.kan_rows(p, "kan", p["x"] - 1), given, torch.float64)
    assert len(exact[1]) == 4
    assert_close(run(lambda p: compiled_layers.kan_rows(p, "kan", p["x"], 1.0), given), exact)


@pytest.mark.parametrize("count, agents", [(1000, 64), (1537, 13), (3, 1)])
def test_shares_and_their_gradients_are_torchs(count: int, agents: int) -> None:
    rng = np.random.default_rng(3)
    name = "transformer.layers.0.enc_dec_attention.agent_linear"
    given = {
        "x": torch.from_numpy(rng.normal(size=(count, 64))),
        f"{name}.weight": torch.from_numpy(0.1 * rng.normal(size=(64, 64))),
        f"{name}.bias": torch.from_numpy(rng.normal(size=64)),
    }

    def shares(way: object) -> Layer:
        return lambda p: way.esaa_shares(p, 0, p["x"], agents, 16)[1]  # type: ignore[attr-defined]

    exact = run(shares(layers), given, torch.float64)
    assert torch.allclose(exact[0].sum(1), torch.ones(count, dtype=torch.float64))
    # The bias adds the same to all of a Gaussian's logits: its true gradient is zero.
    assert_close(run(shares(compiled_layers), given), exact, least=1)


NARROW = """
from core.system.numba_vectors import WIDTH
from tests.core import test_training_compiled as here
assert WIDTH == 8, "compiled for vectors of 16"
here.test_offsets_and_their_gradients_are_torchs(193, 2, 10, 24, 13)
here.test_a_kan_and_its_gradients_are_torchs(193, 15, 14)
here.test_shares_and_their_gradients_are_torchs(193, 13)
"""


def test_vectors_of_eight_give_the_same_gradients(tmp_path: Path) -> None:
    """The path of processors without AVX-512, whatever this one has."""
    run_with_vectors_of_eight(NARROW, tmp_path)


def assert_same(one: Run, other: Run) -> None:
    assert torch.equal(one[0], other[0])
    assert all(torch.equal(one[1][name], slope) for name, slope in other[1].items())


def test_no_bit_of_a_layer_depends_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    moving = parameters(10, 24, 13) | moving_inputs(4000, 2, 10)
    moving = {name: value for name, value in moving.items() if value.is_floating_point()}
    kan = kan_inputs(4000, 64, 64)
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(parts, "available_cores", lambda count=threads: count)
        encoded = run(lambda p: compiled_layers.kan_rows(p, "kan", p["x"]), kan)
        found.append((run(numbas_offsets, moving), encoded))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            assert_same(one, same)


def moved_twice(head: Head) -> tuple[Tensor, ...]:
    """The moved means of two frames by `moved` and by `deform`."""
    field = head.field()
    rng = np.random.default_rng(4)
    codes = torch.from_numpy(rng.normal(size=(2, 32)).astype(np.float32))
    eyes = torch.tensor([0.2, 0.8], dtype=torch.float64)
    poses = torch.from_numpy(np.stack([random_pose(i) for i in range(2)]))
    with torch.no_grad():
        fast = head.network.moved(head.raw(), *field, codes, eyes, poses)
        slow, _ = head.network.deform(head.raw(), *field, codes, eyes, poses)
    return torch.cat([value.flatten() for value in fast]), torch.cat([v.flatten() for v in slow])


@pytest.mark.parametrize(
    "changes", [{}, {"kan": False}, {"esaa": False}, {"arrangement": "official"}]
)
def test_every_network_moves_as_without_numba(changes: dict[str, object]) -> None:
    fast, slow = moved_twice(make_head(**changes))
    assert torch.equal(fast, slow) == bool(changes)  # only the first has kernels
    assert (fast - slow).abs().max() < 1e-5


def test_another_precision_is_torchs() -> None:
    x = torch.zeros(3, 64)
    assert compiled_layers.usable({}, None, x)
    assert not compiled_layers.usable({}, None, x.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert not compiled_layers.usable({}, None, x)


def test_a_field_is_parted_between_the_gaussians_and_the_landmarks() -> None:
    head = make_head()
    x, first = head.field(torch.zeros(7, 3))
    assert first is not None
    (own, own_first), (other, other_first) = parted(x, first, len(head))
    assert own_first is not None and other_first is not None
    assert torch.equal(torch.cat([own, other]), x) and len(other) == 7
    assert torch.equal(torch.cat([own_first.shares, other_first.shares]), first.shares)
    assert parted(x, None, 2)[1][1] is None


def picture_inputs(height: int, width: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(5)
    picture = rng.random((height, width, 3))
    return {"picture": torch.from_numpy(picture), "alpha": torch.from_numpy(picture[..., 0] ** 2)}


def loss_by(way: Layer, weights: Losses) -> Layer:
    def loss(p: dict[str, Tensor]) -> Tensor:
        rng = np.random.default_rng(6)
        target = (p["picture"].detach() + 0.1).clamp(max=0.9)
        target[::3, ::2] = p["picture"].detach()[::3, ::2]  # no slope where nothing is wrong
        head = torch.from_numpy(rng.random(target.shape[:2])).to(target)
        return way(p["picture"], target, p["alpha"], head, (2, 7, 1, 6), weights)

    return loss


@pytest.mark.parametrize("size", [(150, 41), (11, 11), (8, 30)])
def test_the_losses_of_a_picture_and_their_gradients_are_torchs(size: tuple[int, int]) -> None:
    given = picture_inputs(*size)
    for weights in (Losses(), Losses(l1=0, square=0, lips=0), Losses(ssim=0, mask=0)):
        exact = run(loss_by(losses.plain, weights), given, torch.float64)
        fast = run(loss_by(losses.picture_loss, weights), given)
        if not weights.mask:  # numba's gradient is zero where torch has none
            assert not fast[1].pop("alpha").any()
        assert_close(fast, exact, least=1e-9)


def test_no_bit_of_a_loss_depends_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for threads in (1, 2, 5):
        for module in (pictures, ssim_kernels):
            monkeypatch.setattr(module, "available_cores", lambda count=threads: count)
        found.append(run(loss_by(losses.picture_loss, Losses()), picture_inputs(150, 41)))
    for other in found[1:]:
        assert_same(found[0], other)
