"""Content of the textures, and when they are uploaded again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from egstalker.core.records.gaussians import activate
from egstalker.egstalker_blender.viewport import atlas, draw
from egstalker.egstalker_blender.viewport.atlas import (
    ORDER_WIDTH,
    PER_ROW,
    Atlas,
    Entry,
    pack_order,
    pack_sh,
    pack_shapes,
)

from tests.support.blender_viewport import need_gpu, pixels
from tests.support.synthetic import random_avatar


def splats_of(n: int) -> Any:
    return activate(random_avatar(n, agents=min(40, n))[1])


def test_two_heads_side_by_side() -> None:
    a, b = splats_of(300), splats_of(90)
    rest = b.means - np.array([0.3, 0, 0.4], np.float32)
    entries = [Entry(1, 1, a), Entry(2, 2, b, rest)]
    shapes, sh = pack_shapes(entries), pack_sh(entries)
    assert shapes.shape == (2, PER_ROW, 3, 4)
    assert sh.shape == (2, PER_ROW, 12, 4)
    shapes, sh = shapes.reshape(-1, 3, 4), sh.reshape(-1, 16, 3)
    for splats, start, motion in ((a, 0, 0.0), (b, 300, 0.5)):
        part = slice(start, start + len(splats))
        assert (shapes[part, 0, :3] == splats.means).all()
        assert (shapes[part, 0, 3] == splats.opacities).all()
        assert (shapes[part, 1] == splats.quats).all()
        assert (shapes[part, 2, :3] == splats.scales).all()
        assert shapes[part, 2, 3] == pytest.approx(motion, abs=1e-6)
        assert (sh[part] == splats.sh).all()
    assert not shapes[390:].any()
    assert not sh[390:].any()


def test_a_mesh_of_another_avatar_says_nothing_of_motion() -> None:
    splats = splats_of(50)
    packed = pack_shapes([Entry(1, 1, splats, splats.means[:20])])
    assert not packed[..., 2, 3].any()


def test_order_is_exact_and_filled_up() -> None:
    indices = np.arange(atlas.MAX_SPLATS - 1500, atlas.MAX_SPLATS, dtype=np.float32)
    packed = pack_order(indices)
    assert packed.shape == (2, ORDER_WIDTH)
    assert (packed.reshape(-1)[:1500] == indices).all()
    assert packed.reshape(-1)[1499] == atlas.MAX_SPLATS - 1
    assert pack_order(indices[:0]).shape == (1, ORDER_WIDTH)


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlas, "MAX_SPLATS", 100)
    with pytest.raises(Exception, match="150 Gaussians are more than the viewport's 99"):
        pack_shapes([Entry(1, 1, splats_of(150))])


def test_the_gpu_holds_what_was_packed() -> None:
    need_gpu()
    splats = splats_of(300)
    made = Atlas([Entry(1, 1, splats)])
    read = pixels(made.sh)[::-1].reshape(-1, 48)
    assert (read[:300] == splats.sh.reshape(300, 48)).all()
    assert (made.shapes.width, made.shapes.height) == (PER_ROW * 3, 2)


def test_textures_are_uploaded_again_only_for_other_splats(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(draw, "Atlas", lambda entries: made.append(entries) or Counted(entries))
    splats, renderer = splats_of(10), draw.Renderer()
    for entries, count in (
        ([Entry(1, 1, splats)], 1),
        ([Entry(1, 1, splats)], 1),
        ([Entry(1, 2, splats)], 2),
        ([Entry(1, 2, splats, splats.means)], 3),
        ([Entry(1, 2, splats, splats.means), Entry(2, 3, splats)], 4),
        ([], 4),
        ([Entry(1, 2, splats)], 5),
    ):
        renderer.update(entries)
        assert len(made) == count
        assert (renderer._atlas is not None) == bool(entries)


class Counted:
    def __init__(self, entries: Any) -> None:
        self.identity = atlas.identity(entries)
