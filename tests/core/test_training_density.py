"""Adding and removing Gaussians, their order, and Adam's state of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from core.records.camera import Camera
from core.training.config import TrainConfig
from core.training.density import LARGE, SPLIT_SHRINK, Density
from core.training.head import FIELDS, Head, draw, farthest_first, new_head, reorder
from core.training.optimiser import EPS, Average, Optimiser
from tests.support.plain_rasteriser import splat
from tests.support.synthetic import random_gaussians, random_pose

N = 70
CONFIG = TrainConfig(points=N, resolution=4, agents=8)
RATES = {f"canonical.{name}": 1e-2 for name in FIELDS}


@pytest.fixture
def head() -> Head:
    """Small Gaussians, opaque."""
    poses = np.stack([random_pose(i) for i in range(9)])
    head = new_head(random_gaussians(100).means, poses, 6, CONFIG, "cpu")
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        head.canonical["log_scales"].fill_(float(np.log(LARGE / 2)))
        head.canonical["opacity_logits"].fill_(2.0)
        head.canonical["quats"] += 0.5 * torch.randn(N, 4, generator=rng)
        head.canonical["sh_rest"] += torch.randn(N, 15, 3, generator=rng)
    return head


def stepped(head: Head) -> Optimiser:
    """An optimiser with a history: each row's moments differ from the others'."""
    optimiser = Optimiser(head, RATES, {})
    for value in head.canonical.values():
        row = torch.arange(1.0, N + 1).reshape(N, *[1] * (value.ndim - 1))
        value.grad = (row * 1e-3).expand(value.shape).clone()
    optimiser.step(1e-6)
    return optimiser


def with_gradients(rows: list[int], count: int = N) -> Density:
    density = Density(count, "cpu")
    density.seen += 2
    density.pull[rows] = torch.arange(len(rows), 0, -1.0)
    return density


def test_gradients_of_drawn_gaussians_are_summed() -> None:
    density = Density(3, "cpu")
    for _ in range(2):
        probe = torch.zeros(3, 2, requires_grad=True)
        (probe * torch.tensor([[3.0, 4], [1, 0], [6, 8]])).sum().backward()
        density.collect(probe, torch.tensor([2, 1, 0]))
    density.collect(torch.zeros(3, 2, requires_grad=True), torch.tensor([0, 0, 0]))  # not drawn
    assert density.pull.tolist() == [10, 2, 0] and density.seen.tolist() == [2, 2, 0]


def test_small_ones_are_cloned_and_adam_remembers_its_rows(head: Head) -> None:
    optimiser = stepped(head)
    before = {name: value.detach().clone() for name, value in head.canonical.items()}
    moments = optimiser.state()
    density = with_gradients([7, 3])
    density.adapt(head, optimiser, 1000, torch.ones(N, 3))
    assert len(head) == N + 2
    for name, value in head.canonical.items():
        assert torch.equal(value[:N], before[name])
        assert torch.equal(value[N:], before[name][[3, 7]])
        for moment in ("exp_avg", "exp_avg_sq"):
            now = optimiser.state()[f"canonical.{name}/{moment}"]
            assert torch.equal(now[:N], moments[f"canonical.{name}/{moment}"])
            assert not now[N:].any() and now[:N].any()
        assert optimiser.state()[f"canonical.{name}/step"] == 1
    assert density.pull.tolist() == density.seen.tolist() == [0] * (N + 2)


def test_large_ones_are_split_in_two_smaller_ones_apart(head: Head) -> None:
    with torch.no_grad():
        head.canonical["log_scales"][5] = torch.tensor([LARGE * 4, LARGE, LARGE]).log()
        head.canonical["quats"][5] = torch.tensor([2.0, 0, 0, 2.0])  # a quarter turn about z
    optimiser = stepped(head)
    mean = head.canonical["means"][5].detach().clone()
    with_gradients([5]).adapt(head, optimiser, 1000, torch.ones(N, 3))
    scales = head.canonical["log_scales"].detach().exp()
    expected = torch.tensor([LARGE * 4, LARGE, LARGE]) / SPLIT_SHRINK
    assert torch.allclose(scales[5], expected) and torch.allclose(scales[N], expected)
    assert torch.equal(head.canonical["means"][5], mean)
    offset = head.canonical["means"][N].detach() - mean
    assert torch.allclose(offset, torch.tensor([-LARGE, LARGE * 4, LARGE]), atol=1e-6)


def test_transparent_and_huge_ones_go_and_do_not_grow(head: Head) -> None:
    optimiser = stepped(head)
    kept = [i for i in range(N) if i not in (2, 9)]
    with torch.no_grad():
        head.canonical["opacity_logits"][2] = -9
        head.canonical["log_scales"][9, 1] = 0
    means = head.canonical["means"].detach().clone()
    moments = optimiser.state()["canonical.means/exp_avg"]
    with_gradients([2, 9]).adapt(head, optimiser, 1000, torch.ones(N, 3))
    assert torch.equal(head.canonical["means"], means[kept])
    assert torch.equal(optimiser.state()["canonical.means/exp_avg"], moments[kept])


@pytest.mark.parametrize(("limit", "count"), [(1000, N + 7), (N + 4, N + 4), (N, N), (N - 9, N)])
def test_it_grows_by_a_tenth_at_most_and_never_over_the_limit(
    head: Head, limit: int, count: int
) -> None:
    optimiser = stepped(head)
    means = head.canonical["means"].detach().clone()
    with_gradients(list(range(20))).adapt(head, optimiser, limit, torch.ones(N, 3))
    assert len(head) == count
    hardest = list(range(count - N))
    assert torch.equal(head.canonical["means"][N:].detach(), means[hardest])


def test_training_goes_on_with_the_new_rows(head: Head) -> None:
    """The module and the optimiser have the same tensors, and Adam's step is as by hand."""
    optimiser = stepped(head)
    with_gradients([0]).adapt(head, optimiser, 1000, torch.ones(N, 3))
    before = head.canonical["means"].detach().clone()
    head.canonical["means"].grad = torch.full((N + 1, 3), 0.5)
    optimiser.step(1.0)
    moved = before - head.canonical["means"].detach()
    mean, square = 0.5 * 0.1, 0.25 * 0.001
    step = 1e-2 * (mean / (1 - 0.9**2)) / (np.sqrt(square / (1 - 0.999**2)) + EPS)
    assert torch.allclose(moved[N], torch.full((3,), float(step)), rtol=1e-4)
    assert not torch.allclose(moved[N], moved[0])


def test_an_average_forgets_its_beginning() -> None:
    module = torch.nn.Linear(1, 1)
    average = Average(module, 0.9)
    with torch.no_grad():
        for value in module.parameters():
            value.fill_(1.0)
    average.values = {name: torch.zeros_like(value) for name, value in average.values.items()}
    values = []
    for _ in range(200):
        average.update(module)
        values.append(float(average.values["weight"]))
    assert values[0] == pytest.approx(1 - 1 / 11) and values == sorted(values)
    assert values[-1] == pytest.approx(1, abs=1e-3)


def test_a_restored_average_goes_on_in_any_order() -> None:
    module = torch.nn.Linear(3, 2)
    average, other = Average(module, 0.5), Average(module, 0.5)
    average.update(module)
    other.restore(dict(reversed(average.values.items())), average.steps)
    with torch.no_grad():
        module.weight += 1
    average.update(module)
    other.update(module)
    assert other.steps == 2
    assert all(torch.equal(other.values[k], v) for k, v in average.values.items())


def test_farthest_first_begins_with_points_far_apart() -> None:
    points = random_gaussians(400).means
    order = farthest_first(points, 20)
    assert sorted(order) == list(range(400))
    assert (np.diff(order[20:]) > 0).all()  # the rest as they were

    def closest(some: np.ndarray) -> float:
        apart = np.linalg.norm(some[:, None] - some[None], axis=2)
        return float(apart[np.triu_indices(len(some), 1)].min())

    rng = np.random.default_rng(0)
    by_chance = [closest(points[rng.permutation(400)[:20]]) for _ in range(20)]
    assert closest(points[order[:20]]) > 3 * np.mean(by_chance)
    assert sorted(farthest_first(points[:5], 20)) == [0, 1, 2, 3, 4]
    assert sorted(farthest_first(np.zeros((4, 3)), 3)) == [0, 1, 2, 3]


def test_another_order_is_the_same_picture(head: Head) -> None:
    viewmat = np.diag([1.0, -1, -1, 1])
    viewmat[2, 3] = 7.5
    camera = Camera(viewmat, 90, 90, 16, 16, 32, 32)

    def picture() -> Tensor:
        with torch.no_grad():
            return draw(head.raw(), camera, 3, splat).colour

    before, means = picture(), head.canonical["means"].detach().numpy().copy()
    order = farthest_first(means, 8)
    reorder(head, order)
    assert np.array_equal(head.canonical["means"].detach().numpy(), means[order])
    assert before.max() > 0.1 and torch.allclose(picture(), before, atol=1e-6)
