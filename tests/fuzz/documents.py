"""The readers of tables, of a farm job's rules, and of what an earlier run left behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from core.dataset.features import choose_features
from core.engine.cache.disk import DiskCache
from core.engine.cache.frames import frame_of
from core.errors import InputError
from core.farm.mapping import mapped, read_rules
from core.network.official.reference_file import read_reference
from core.prepare.options import PrepareOptions
from core.prepare.state import VERSION, State
from core.prepare.step import Files
from core.records.gaussians import Splats
from tests.fuzz.case import Case, Maker
from tests.support.avatar_inputs import make_mel_stats

GOLDEN = Path(__file__).parents[1] / "golden" / "network_gaussiantalker.npz"
COUNT = 5  # splats of a cached frame


def farm_rules(folder: Path) -> Case:
    """How a job bundle's paths become those of the machine that runs it."""
    path = folder / "rules.json"
    rule = {"source_path_format": "WINDOWS", "source_path": "Z:\\show", "destination_path": "/mnt"}
    other = {**rule, "source_path_format": "POSIX", "source_path": "/show"}
    seed = json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": [rule, other]})
    return Case(path, (seed.encode(),), lambda: mapped("Z:\\show\\a.egs", read_rules(path)))


def preparation(folder: Path) -> Case:
    """prepare.json in the folder of a dataset."""
    path = folder / "prepare.json"
    steps = {"look": {"key": "a", "done": True, "width": 64}}
    seed = json.dumps({"version": VERSION, "video": "v", "sha256": "00", "steps": steps})

    def read() -> None:
        state = State(folder, "00", "v")
        state.is_done("look", "a")
        state.is_begun("look", "a")

    return Case(path, (seed.encode(),), read)


def cached_frame(folder: Path) -> Case:
    """A frame in the cache on disk: any other content is no frame, without an error."""
    key, sh = "0" * 40, np.zeros((COUNT, 16, 3), np.float32)
    one = np.ones((COUNT, 4), np.float32)
    frame = frame_of(Splats(one[:, :3], one, one[:, :3], one[:, 0], sh), sh)
    DiskCache(folder, 10**6).put(key, frame)
    [path] = folder.glob(f"{key}*")

    def read() -> None:
        if DiskCache(folder, 10**6).get(key, sh) is None:
            raise InputError("no frame")

    return Case(path, (path.read_bytes(),), read)


def prepared_arrays(folder: Path) -> Case:
    """What a step of a preparation left for the next one."""
    files = Files(folder / "v.mp4", folder, PrepareOptions())
    path = files.side / "x.npz"
    path.parent.mkdir()
    files.save("x.npz", meshes=np.zeros((2, 3, 3), np.float32), still=np.array(True))
    return Case(path, (path.read_bytes(),), lambda: files.load("x.npz"))


def statistics(folder: Path) -> Case:
    """Of log-mel features, an archive of numpy arrays."""
    path = make_mel_stats(folder / "mel.npz")
    return Case(path, (path.read_bytes(),), lambda: choose_features("auto", 29, None, path))


def reference(folder: Path) -> Case:
    """Tensors of a network for `verify`."""
    path = folder / "reference.npz"
    return Case(path, (GOLDEN.read_bytes(),), lambda: read_reference(path))


READERS: dict[str, Maker] = {
    "rules of a farm job": farm_rules,
    "state of a preparation": preparation,
    "frame of the cache": cached_frame,
    "arrays of a preparation": prepared_arrays,
    "statistics (.npz)": statistics,
    "reference tensors (.npz)": reference,
}
