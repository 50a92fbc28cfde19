"""A picture with the two layers that compositing needs, and the mean of several of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..records.arrays import Float32, Float64
from .image import Image, to_encoded, to_linear


@dataclass(frozen=True, eq=False)
class Layers:
    """image: an Image. depth (H, W) float32: distance along the camera's axis in units of the
    scene, EMPTY where nothing of the head is drawn. matte (H, W) float32: coverage of the head in
    [0, 1], also over a background, where the image's own alpha is 1."""

    image: Image
    depth: Float32
    matte: Float32


EMPTY = 1e10  # as in Blender's own depth pass


def stacked(layers: Layers) -> Float32:
    """(H, W, 6) float32: scene-linear premultiplied red, green, blue, alpha; depth; matte."""
    rest = np.stack([layers.depth, layers.matte], axis=-1)
    return np.concatenate([to_linear(layers.image), rest], axis=-1)


def nothing(width: int, height: int) -> Float32:
    """(H, W, 6) as `stacked`, without a head."""
    out = np.zeros((height, width, 6), np.float32)
    out[..., 4] = EMPTY
    return out


def in_depth_order(heads: Sequence[Float32]) -> Float32:
    """Several heads in one picture: each (H, W, 6) as `stacked` gives it, all of one size, at least
    one. At every pixel the nearest is over the others; depth is weighted by what is seen of each,
    as a rasteriser weights its Gaussians."""
    if len(heads) == 1:
        return heads[0]
    every = np.stack(heads)
    order = np.argsort(every[..., 4], axis=0, kind="stable")
    every = np.take_along_axis(every, order[..., None], axis=0)
    out = np.zeros(every.shape[1:], np.float64)
    through = np.ones(every.shape[1:3], np.float64)
    for head in every:
        matte = head[..., 5]
        out[..., :4] += through[..., None] * head[..., :4]
        out[..., 4] += through * matte * head[..., 4]
        through *= 1 - matte
    out[..., 5] = 1 - through
    seen = out[..., 5] > 0
    out[..., 4] = np.divide(out[..., 4], out[..., 5], out=np.full_like(through, EMPTY), where=seen)
    return out.astype(np.float32)


def mean_of(samples: Iterable[Image | Layers]) -> Image | Layers:
    """One picture that was open during all samples, which are equally long: light is added up
    scene-linear, as in a camera. Depth is weighted by each sample's matte. All samples are of one
    kind and size, at least one."""
    count, image, far, matte = 0, _zero(), _zero(), _zero()
    layered = False
    for sample in samples:
        count += 1
        if isinstance(sample, Layers):
            layered = True
            far = far + sample.matte * sample.depth.astype(np.float64)
            matte = matte + sample.matte
            sample = sample.image
        image = image + to_linear(sample)
    mean = to_encoded((image / count).astype(np.float32))
    if not layered:
        return mean
    depth = np.full(matte.shape, EMPTY, np.float32)
    np.divide(far, matte, out=depth, where=matte > 0, casting="same_kind")
    return Layers(mean, depth, (matte / count).astype(np.float32))


def _zero() -> Float64:
    return np.zeros((), np.float64)
