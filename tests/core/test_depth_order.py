"""Several heads in one picture."""

from __future__ import annotations

import numpy as np
import pytest

from core.images.layers import EMPTY, in_depth_order, nothing


def test_the_nearer_head_is_over_the_other_at_each_pixel() -> None:
    random = np.random.default_rng(1)
    heads = [nothing(7, 5) for _ in range(3)]
    for head in heads:
        matte = random.uniform(0, 1, (5, 7)) * (random.uniform(0, 1, (5, 7)) > 0.3)
        head[..., 3] = head[..., 5] = matte
        head[..., :3] = matte[..., None] * random.uniform(0, 1, (5, 7, 3))
        head[..., 4] = np.where(matte > 0, random.uniform(1, 9, (5, 7)), EMPTY)
    found = in_depth_order(heads)
    for y, x in np.ndindex(5, 7):
        colour, through, far = np.zeros(4), 1.0, 0.0
        for pixel in sorted((head[y, x] for head in heads), key=lambda p: float(p[4])):
            colour += through * pixel[:4]
            far += through * pixel[5] * (pixel[4] if pixel[5] else 0)
            through *= 1 - pixel[5]
        depth = far / (1 - through) if through < 1 else EMPTY
        expected = [*colour, depth, 1 - through]
        assert found[y, x] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert in_depth_order(heads[:1]) is heads[0]
