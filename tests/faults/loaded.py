"""Import this module to load what a training loads only when it needs it, numba's compiler too."""

from __future__ import annotations

import importlib

import numba

for name in (
    "torch._dynamo",
    "scipy.ndimage",
    "scipy.spatial",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "core.network.numba.hash_grid",
    "core.render.cuda.compiler",
    "core.render.numba.rasterise",
    "core.training.rasterisers.numba",
    "tests.support.training_runs",
):
    importlib.import_module(name)
numba.njit("int64(int64)")(lambda number: number + 1)
