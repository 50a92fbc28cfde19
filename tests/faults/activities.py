"""The kinds of work that faults are tried on, each so small that it takes a second or two."""

from __future__ import annotations

import hashlib
import json
import sys
import types
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from core.audio.logmel import LogMel
from core.avatar import frozen
from core.avatar.file import load_avatar, save_avatar
from core.bake.freezing import freeze
from core.bake.plan import training_tasks
from core.engine.cache.disk import DiskCache
from core.engine.cache.frames import frame_of
from core.engine.worker import WorkerEngine
from core.errors import EgsError
from core.formats.safetensors import read_tensors
from core.records.camera import viewmat_from_track
from core.records.feature_spec import FeatureSpec
from core.records.job import BakeJob
from core.records.moment import Moment
from core.system.files import write_atomic
from tests.faults.activity import Activity, Place, Results
from tests.faults.starting import ROOT
from tests.support.avatars import moving_avatar
from tests.support.sound_files import encoded, wav
from tests.support.talking import sound

FRAMES, SIDE, ROWS = 16, 48, 20
SCRUBS, KEPT = 40, 12  # positions of a playhead, and frames that the cache on disk keeps
RATE = 16000


def _voice(seed: int) -> bytes:
    times = np.arange(RATE) / RATE
    return wav(encoded(0.5 * np.sin(2 * np.pi * (200 + 90 * seed + 300 * times) * times), 1, 16))


def _speaker(folder: Path, seed: int = 3) -> None:
    """An avatar of log-mel features and a second of sound."""
    viewmats = [viewmat_from_track((0.02 * i, -0.01 * i, 0.1), (0.1, 0, -7.5)) for i in range(ROWS)]
    features = FeatureSpec("log-mel", 29, parameters=asdict(LogMel()))
    avatar = moving_avatar(
        "speaker", 150, viewmats, (SIDE / 2, SIDE / 2), (SIDE, SIDE), features, seed=seed
    )
    save_avatar(avatar, folder / "head.egs")
    write_atomic(folder / "voice.wav", [_voice(seed)])


def _engine(place: Place) -> WorkerEngine:
    log = place.cache / "worker.log"
    return WorkerEngine(Path(sys.executable), log, backend="numpy", back_off=0.01)


def _bake(place: Place, seed: int) -> None:
    """FRAMES pictures by a worker, with the sound read by it."""
    path = place.inputs / "head.egs"
    avatar = load_avatar(path)
    frames = training_tasks(avatar, range(1, FRAMES + 1))
    job = BakeJob(path, avatar.content_hash, place.inputs / "voice.wav", frames, place.out)
    with closing(_engine(place)) as engine, closing(engine.bake(job)) as steps:
        for _ in steps:
            pass


def _scrub(place: Place, seed: int) -> None:
    """SCRUBS positions in any order, as the timeline asks for them: from the cache on disk or from
    the worker. The result is a list of what was shown."""
    avatar = load_avatar(place.inputs / "head.egs")
    track, sh = sound(rows=ROWS), avatar.whole().sh
    order = np.random.default_rng(seed).integers(0, ROWS, SCRUBS)
    frame_bytes = 4 * 11 * len(sh) + 200
    disk = DiskCache(place.cache / "frames", KEPT * frame_bytes)
    shown = []
    with closing(_engine(place)) as engine:
        for row in order.tolist():
            key = hashlib.sha1(str(row).encode()).hexdigest()
            frame = disk.get(key, sh)
            if frame is None:
                moment = Moment(row / 25, 0.3, np.zeros(12, np.float32))
                frame = frame_of(engine.deform(avatar, track, moment), sh)
                disk.put(key, frame)
            splats = frame.splats()
            parts = splats.means, splats.quats, splats.scales, splats.opacities
            shown.append(hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest())
    held = sum(path.stat().st_size for path in (place.cache / "frames").glob("*.npy"))
    assert held <= 2 * KEPT * frame_bytes, f"{held} bytes of frames on disk"  # two Blenders
    write_atomic(place.out / "shown.json", [json.dumps(shown).encode()])


def _render(place: Place, seed: int) -> None:
    """The command line, in its own process on numpy."""
    from core.cli import main

    command = ["render", str(place.inputs / "head.egs"), "--out", str(place.out), "--json"]
    command += ["--audio", str(place.inputs / "voice.wav"), "--engine", "builtin"]
    code = main([*command, "--backend", "numpy", "--frames", f"1-{FRAMES}"])
    if code:
        raise SystemExit(code)


def _clip(folder: Path) -> None:
    from tests.support.training_runs import make_talking_clip

    make_talking_clip(folder)


def _train(place: Place, seed: int) -> None:
    """A training that saves its state all the time, resumed if there is one. Few frames are looked
    at for what may be frozen: that takes half of the time and writes nothing."""
    from core.training import result, trainer
    from core.training.folder import has_state
    from tests.support.training_runs import job_of, train

    work = place.out / "work"
    job = job_of(place.inputs / "clip", place.out, resume=has_state(work))
    with (
        mock.patch.object(trainer, "SAVE_SECONDS", 0.05),
        mock.patch.object(result, "freeze", partial(freeze, frames=8)),
    ):
        train(job)


def _tensors(place: Place) -> dict[str, str]:
    """Of the avatar alone: its header has seconds in it, the other files are for resuming. The
    Gaussians that may be frozen count as a second file: the avatar is saved before they are known,
    and again with them."""
    path = place.out / "head.egs"
    if not path.exists():
        return {}
    parts: dict[str, Any] = {}
    for name, array in sorted(read_tensors(path)[0].items()):
        part = f"{path.name}, frozen" if name.startswith(frozen.PREFIX) else path.name
        digest = parts.setdefault(part, hashlib.sha256())
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return {part: digest.hexdigest() for part, digest in parts.items()}


def _without_blender(name: str) -> Any:
    """A module of the add-on that needs no Blender."""
    import importlib

    for package, folder in (("egstalker", ROOT), ("egstalker.egstalker_blender", None)):
        module = types.ModuleType(package)
        module.__path__ = [str(folder or ROOT / "egstalker_blender")]
        sys.modules.setdefault(package, module)
    return importlib.import_module(f"egstalker.egstalker_blender.{name}")


INSTALLS = """
import pathlib, sys, time
site = pathlib.Path(sys.argv[1], "site")
site.mkdir(exist_ok=True)
for number in range(30):
    print("Collecting package%d" % number, flush=True)
    try:
        (site / ("package%d.py" % number)).write_text("VALUE = %d\\n" % number)
    except OSError as error:  # as pip says it
        sys.exit("ERROR: Could not install packages due to an OSError: %s" % error)
    time.sleep(0.005)
"""


def _set_up(place: Place, seed: int) -> None:
    """An environment of the worker, its packages installed by a stand-in for pip."""
    job, command, environment = map(
        _without_blender, ("setup_worker.job", "jobs.command", "setup_worker.environment")
    )
    errors = sys.modules["egstalker.core.errors"]

    def steps(folder: Path) -> list[Any]:
        python = sys.executable, "-I"
        make = (*python, "-m", "venv", "--without-pip", "--symlinks", str(folder))
        return [
            command.Step("Making", make, 60.0, 0.2),
            command.Step("Installing", (*python, "-c", INSTALLS, str(folder)), 60.0, 0.6),
            command.Step("Trying", (*python, "-c", "import sys"), 60.0, 0.2),
        ]

    root = place.out
    try:
        set_up = job.SetUp(root, place.cache / "setup.log", steps, details={"choice": "cpu"})
    except errors.EgsError as error:  # the same class under another name
        raise EgsError(str(error)) from None
    while (state := set_up.poll()).alive:
        set_up.wait(0.02)
    if state.kind != "done":
        raise EgsError(state.text)
    environment.remove_earlier(set_up.earlier)  # as the session does


def _environment(place: Place) -> dict[str, str]:
    """The one that is complete, whatever its number; of two that were made at once the first."""
    complete = sorted(place.out.glob("environment_*/egstalker_worker.json"))[:1]
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for marker in complete
        for path in [marker, *(marker.parent / "site").iterdir()]
    }


def _nothing(folder: Path) -> None:
    """Needs no inputs."""


def _other_speaker(place: Place) -> None:
    _speaker(place.inputs, 4)


def _other_pictures(place: Place) -> None:
    """Half of the dataset's pictures become others of the same size."""
    pictures = sorted((place.inputs / "clip" / "ori_imgs").glob("*.jpg"))
    for path in pictures[::2]:
        write_atomic(path, [pictures[-1].read_bytes()])


ACTIVITIES: dict[str, Activity] = {
    "bake": Activity(_speaker, _bake, worker="core.worker", change=_other_speaker),
    "scrub": Activity(_speaker, _scrub, worker="core.worker", change=_other_speaker),
    "render": Activity(
        _speaker,
        _render,
        change=_other_speaker,
        takes_changed=True,
        modules=("core.cli", "core.commands.render"),
    ),
    "train": Activity(
        _clip,
        _train,
        _tensors,
        change=_other_pictures,
        modules=("tests.faults.loaded",),
    ),
    "set up": Activity(_nothing, _set_up, _environment, worker="-I"),
}

__all__ = ["ACTIVITIES", "Results"]
