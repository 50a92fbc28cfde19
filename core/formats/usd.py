"""Splats over time as a USD file: one prim of type ParticleField3DGaussianSplat (OpenUSD 26.03).

The stage is y up, in metres, and the head faces +z. The rigid motion is the prim's transform; what
deforms is in time samples, linear between them. The harmonics are of sRGB-encoded colours, which
the schema ColorSpaceAPI says. What is the same in every frame is stored once.

Needs OpenUSD's Python module `pxr`, which Blender has inside; elsewhere: pip install usd-core.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingPackageError, OutputError
from ..records.arrays import Float64
from ..records.gaussians import Splats
from ..system.files import Staged
from ..system.leftovers import part_of, remove_abandoned

PRIM_TYPE = "ParticleField3DGaussianSplat"
SH = "radiance:sphericalHarmonicsCoefficients"
SAVE_BYTES = 1 << 28  # of samples in memory before they are written
SIGMAS = 3.0  # to the edge of a Gaussian, for the bounds


@dataclass
class _Attribute:
    """A USD attribute. Values that stay the same are remembered, not written: `first` and `last`
    are their first and last time, None before the first and once it is known to vary."""

    attribute: Any
    convert: Callable[[Any], Any]
    value: Any = None
    first: float | None = None
    last: float | None = None

    def put(self, value: Any, time: float) -> int:
        """The value at that time, later than all before. Returns the bytes written."""
        if self.value is None:
            self.value, self.first, self.last = value, time, time
            return 0
        if self.first is None:
            self.attribute.Set(self.convert(value), time)
            return int(value.nbytes)
        if np.array_equal(value, self.value):
            self.last = time
            return 0
        for moment in {self.first, self.last}:
            self.attribute.Set(self.convert(self.value), moment)
        self.first = None
        self.attribute.Set(self.convert(value), time)
        return 2 * int(value.nbytes)

    def finish(self) -> None:
        if self.first is not None:
            self.attribute.Set(self.convert(self.value))


class UsdWriter:
    """Writes a .usdc under a temporary name, frame by frame. Call `add` for each frame, `finish` at
    the end, and `close` always: it deletes what was not finished."""

    def __init__(
        self, path: Path, name: str, frames: tuple[int, int], fps: float, degree: int = 3
    ) -> None:
        """name: of the prim. frames: first and last scene frame, the stage's time codes. fps: time
        codes a second. degree: of the harmonics. MissingPackageError, OutputError."""
        self._pxr = pxr = _pxr()
        remove_abandoned(path.parent)
        part = part_of(path, ".usdc")
        self._file = Staged(path, part)
        self._file.discard()  # of an earlier process of that number
        self._count, self._unsaved = (degree + 1) ** 2, 0
        with self._reported():
            self._stage = pxr.Usd.Stage.CreateNew(str(part))
        pxr.UsdGeom.SetStageUpAxis(self._stage, pxr.UsdGeom.Tokens.y)
        pxr.UsdGeom.SetStageMetersPerUnit(self._stage, 1.0)
        self._stage.SetStartTimeCode(frames[0])
        self._stage.SetEndTimeCode(frames[1])
        self._stage.SetTimeCodesPerSecond(fps)
        self._stage.SetFramesPerSecond(fps)
        prim = self._stage.DefinePrim(f"/{_identifier(name)}", PRIM_TYPE)
        self._stage.SetDefaultPrim(prim)
        self._describe(prim, degree)
        self._place = _Attribute(
            pxr.UsdGeom.Xformable(prim).AddTransformOp().GetAttr(),
            lambda place: pxr.Gf.Matrix4d(*place.T.ravel().tolist()),
        )
        self._splats = self._declared(prim)

    def add(self, frame: int, splats: Splats, place: Float64) -> None:
        """splats: in metres. place (4, 4): a rotation and a translation in the stage's axes. Frames
        come in ascending order. OutputError."""
        reach = SIGMAS * splats.scales.max(axis=1, keepdims=True)
        values = {
            "positions": splats.means,
            "orientations": splats.quats[:, [1, 2, 3, 0]],
            "scales": splats.scales,
            "opacities": splats.opacities,
            SH: splats.sh[:, : self._count].reshape(-1, 3),
            "extent": np.stack([(splats.means - reach).min(0), (splats.means + reach).max(0)]),
        }
        with self._reported():
            self._place.put(place, frame)
            for key, attribute in self._splats.items():
                value = np.ascontiguousarray(values[key], np.float32)
                self._unsaved += attribute.put(value, frame)
            if self._unsaved > SAVE_BYTES:
                self._save()

    def finish(self) -> None:
        """Write the rest and give the file its name. OutputError."""
        with self._reported():
            for attribute in (self._place, *self._splats.values()):
                attribute.finish()
            self._save()
        self._stage = None  # closes the file
        self._file.commit()

    def close(self) -> None:
        """Delete the file unless it is finished."""
        self._stage = None
        self._file.discard()

    def _save(self) -> None:
        self._unsaved = 0
        if not self._stage.GetRootLayer().Save():
            raise OutputError(f"{self._file.path} cannot be written; is the disk full?")

    def _describe(self, prim: Any, degree: int) -> None:
        sdf = self._pxr.Sdf
        uniform = sdf.VariabilityUniform
        types = sdf.ValueTypeNames
        name = "radiance:sphericalHarmonicsDegree"
        prim.CreateAttribute(name, types.Int, False, uniform).Set(degree)
        prim.AddAppliedSchema("ColorSpaceAPI")
        name = "colorSpace:name"
        prim.CreateAttribute(name, types.Token, False, uniform).Set("srgb_rec709_display")

    def _declared(self, prim: Any) -> dict[str, _Attribute]:
        sdf, vt = self._pxr.Sdf, self._pxr.Vt
        types = sdf.ValueTypeNames
        vectors = vt.Vec3fArray.FromNumpy
        table = {
            "positions": (types.Point3fArray, vectors),
            "orientations": (types.QuatfArray, vt.QuatfArray.FromNumpy),
            "scales": (types.Float3Array, vectors),
            "opacities": (types.FloatArray, vt.FloatArray.FromNumpy),
            SH: (types.Float3Array, vectors),
            "extent": (types.Float3Array, vectors),
        }
        return {
            name: _Attribute(prim.CreateAttribute(name, kind, False), convert)
            for name, (kind, convert) in table.items()
        }

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """USD raises RuntimeError for a folder that is not writable and the like."""
        try:
            yield
        except RuntimeError as error:
            line = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise OutputError(f"{self._file.path} cannot be written: {line[0].strip()}") from None


def _identifier(name: str) -> str:
    """A valid name of a prim."""
    text = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return text if re.match(r"[A-Za-z_]", text) else f"_{text}"


def _pxr() -> Any:
    try:
        import pxr
        from pxr import Gf, Sdf, Usd, UsdGeom, Vt  # noqa: F401  makes them attributes of pxr
    except ImportError:
        raise MissingPackageError(
            "writing .usdc needs OpenUSD; export in Blender, which has it, or: pip install usd-core"
        ) from None
    return pxr
