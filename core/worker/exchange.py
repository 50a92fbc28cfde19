"""Tensors in files in the client's private folder: voices, frame tables, splats.

The client creates every file, the worker reads or fills it; both check type and shape before use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, ProtocolError
from ..records.arrays import Float32, Float64
from ..records.audio_track import MARGIN, AudioTrack
from ..records.camera import Camera
from ..records.gaussians import Splats
from ..records.job import BakeJob, FrameTask, Instant
from ..records.moment import Moment
from ..records.splat_blocks import FIELDS, blocks_of, fields_from, width
from ..records.voice import RATE, AnyVoice, PlacedSound, SoundMix, SoundPart, Waveform
from ..system.files import reason
from . import mesh_table
from .protocol import Message, value

# The numbers of a Moment except its poses, by name, in the order of a frame table.
MOMENT_NUMBERS = (
    "seconds", "eye", "strength", "mouth_gain", "opacity", "colour_gain", "approximate",
)  # fmt: skip
# number | MOMENT_NUMBERS | pose 12 | body_pose 12, zeros for None | viewmat 16 | fx, fy, cx, cy,
# width, height, unit | instant: 0 for a frame itself, then 1, 2, 3 ... for those that are averaged
POSE_COLUMN = 1 + len(MOMENT_NUMBERS)
BODY_COLUMN = POSE_COLUMN + 12
VIEW_COLUMN = BODY_COLUMN + 12
LENS_COLUMN = VIEW_COLUMN + 16
INSTANT_COLUMN = LENS_COLUMN + 7
TASK_COLUMNS = INSTANT_COLUMN + 1
MESHES = "meshes_"  # before the name of the frame table's file


def inside(folder: Path, name: str) -> Path:
    """The file of that plain name in the folder. Raises ProtocolError for any other name."""
    if not name or name != Path(name).name or name in (".", "..") or "\\" in name:
        raise ProtocolError(f"{name!r} is not a plain file name")
    return folder / name


def write_track(path: Path, track: AudioTrack) -> None:
    """(F + 2 MARGIN + 1, W, D) float32: the rows with their margins, then the window farther
    out."""
    outside = np.zeros(track.windows.shape[1:]) if track.outside is None else track.outside
    around = [outside[None]] * (MARGIN - track.margin)
    parts = [*around, track.windows, *around, outside[None]]
    _save(path, np.concatenate(parts).astype(np.float32))


def read_track(path: Path) -> AudioTrack:
    windows = _load(path, np.float32, 3)
    if len(windows) <= 2 * MARGIN:
        raise ProtocolError(f"{path.name} holds {len(windows)} windows, too few for a track")
    return AudioTrack(windows[:-1], windows[-1], MARGIN)


def write_waveform(path: Path, waveform: Waveform) -> None:
    """(T,) float32 samples at 16 kHz."""
    _save(path, waveform.samples)


def voice_fields(voice: AnyVoice, file: str = "") -> Message:
    """A voice as plain JSON data. file: the file that write_track or write_waveform made."""
    if voice is None:
        return {"kind": "none"}
    if isinstance(voice, AudioTrack):
        return {"kind": "track", "file": file}
    if isinstance(voice, Waveform):
        return {"kind": "waveform", "file": file}
    if isinstance(voice, SoundMix):
        sounds = [{"at": placed.at, "sound": voice_fields(placed.sound)} for placed in voice.sounds]
        return {"kind": "mix", "sounds": sounds, "seconds": voice.seconds}
    if isinstance(voice, SoundPart):
        part = {"skip": voice.skip, "seconds": voice.seconds, "slack": voice.slack}
        return {"kind": "part", "path": str(voice.path.absolute()), "name": voice.name, **part}
    return {"kind": "file", "path": str(voice.absolute())}


def voice_from(folder: Path, fields: Message) -> AnyVoice:
    kind = value(fields, "kind", str)
    if kind == "none":
        return None
    if kind in ("track", "waveform"):
        file = inside(folder, value(fields, "file", str))
        return read_track(file) if kind == "track" else Waveform(_load(file, np.float32, 1), RATE)
    if kind == "mix":
        placed = (_placed(folder, each) for each in value(fields, "sounds", list))
        return SoundMix(tuple(placed), value(fields, "seconds", float))
    path = Path(value(fields, "path", str))
    if kind == "file":
        return path
    if kind != "part":
        raise ProtocolError(f"a voice of kind {kind!r} is not in the protocol")
    return SoundPart(
        path=path,
        skip=value(fields, "skip", float),
        seconds=value(fields, "seconds", float),
        slack=None if fields.get("slack") is None else value(fields, "slack", float),
        name=value(fields, "name", str),
    )


def _placed(folder: Path, fields: object) -> PlacedSound:
    if not isinstance(fields, dict):
        raise ProtocolError("a sound of a mix is no object")
    sound = voice_from(folder, value(fields, "sound", dict))
    if not isinstance(sound, SoundPart):
        raise ProtocolError("a sound of a mix is no part of a file")
    return PlacedSound(value(fields, "at", float), sound)


def moment_fields(moment: Moment) -> Message:
    numbers = {name: float(getattr(moment, name)) for name in MOMENT_NUMBERS}
    body = [] if moment.body_pose is None else [float(v) for v in moment.body_pose]
    return {**numbers, "pose": [float(v) for v in moment.pose], "body_pose": body}


def moment_from(fields: Mapping[str, Any]) -> Moment:
    pose, body = value(fields, "pose", list), value(fields, "body_pose", list)
    for given in (pose, body or pose):
        if len(given) != 12 or not all(type(v) in (int, float) for v in given):
            raise ProtocolError("a moment's pose is not 12 numbers")
    return _moment([value(fields, name, float) for name in MOMENT_NUMBERS], pose, body)


def write_job(folder: Path, name: str, job: BakeJob, voice: Message) -> Message:
    """The job as plain JSON data; its frames and their instants go to the file `name`,
    (F, TASK_COLUMNS) float64, and meshes to another (mesh_table). voice: as voice_fields."""
    rows = np.empty((sum(1 + len(task.blur) for task in job.frames), TASK_COLUMNS), np.float64)
    at = 0
    for task in job.frames:
        for number, instant in enumerate((Instant(task.moment, task.camera), *task.blur)):
            _fill_row(rows[at], task.number, instant, number)
            at += 1
    _save(inside(folder, name), rows)
    meshes = mesh_table.packed(job.frames)
    if len(meshes):
        _save(inside(folder, MESHES + name), meshes)
    return {
        "avatar_path": str(job.avatar_path.absolute()),
        "avatar_hash": job.avatar_hash,
        "directory": str(job.directory.absolute()),
        "stem": job.stem,
        "file_format": job.file_format,
        "background": job.background,
        "sh_degree": job.sh_degree,
        "xmp": job.xmp,
        "voice_digest": job.voice_digest,
        "voice": voice,
        "frames": name,
        "meshes": MESHES + name if len(meshes) else "",
    }


def read_job(folder: Path, fields: Mapping[str, Any]) -> BakeJob:
    rows = _load(inside(folder, value(fields, "frames", str)), np.float64, 2)
    if rows.shape[1] != TASK_COLUMNS:
        raise ProtocolError(f"a frame table has {rows.shape[1]} columns, not {TASK_COLUMNS}")
    if not np.isfinite(rows).all():
        raise ProtocolError("a frame table holds a number that is not finite")
    meshes = value(fields, "meshes", str)
    depths = _load(inside(folder, meshes), np.float32, 1) if meshes else np.empty(0, np.float32)
    return BakeJob(
        avatar_path=Path(value(fields, "avatar_path", str)),
        avatar_hash=value(fields, "avatar_hash", str),
        voice=voice_from(folder, value(fields, "voice", dict)),
        frames=mesh_table.unpacked(depths, _tasks(rows)),
        directory=Path(value(fields, "directory", str)),
        stem=value(fields, "stem", str),
        file_format=value(fields, "file_format", str),
        background=value(fields, "background", bool),
        sh_degree=value(fields, "sh_degree", int),
        xmp=value(fields, "xmp", bool),
        voice_digest=value(fields, "voice_digest", str),
    )


def _moment(numbers: Sequence[float], pose: Any, body: Any) -> Moment:
    """numbers: in the order of MOMENT_NUMBERS. pose: 12 numbers. body: 12, none or all zero for a
    body that is still."""
    *values, approximate = numbers
    named = dict(zip(MOMENT_NUMBERS, values, strict=False))
    head, moved = (np.array(given, np.float64).astype(np.float32) for given in (pose, body))
    return Moment(
        pose=head,
        approximate=bool(approximate),
        body_pose=moved if moved.any() else None,
        **named,
    )


def _fill_row(row: Float64, frame: int, instant: Instant, number: int) -> None:
    moment, camera = instant.moment, instant.camera
    row[0] = frame
    row[1:POSE_COLUMN] = [getattr(moment, name) for name in MOMENT_NUMBERS]
    row[POSE_COLUMN:BODY_COLUMN] = moment.pose
    row[BODY_COLUMN:VIEW_COLUMN] = 0 if moment.body_pose is None else moment.body_pose
    row[VIEW_COLUMN:LENS_COLUMN] = camera.viewmat.ravel()
    lens = camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height, camera.unit
    row[LENS_COLUMN:] = *lens, number


def _tasks(rows: Float64) -> tuple[FrameTask, ...]:
    if len(rows) and rows[0, INSTANT_COLUMN] != 0:
        raise ProtocolError("a frame table begins with an instant that belongs to no frame")
    starts = np.flatnonzero(rows[:, INSTANT_COLUMN] == 0).tolist()
    tasks = []
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        own, *blur = (_instant(row) for row in rows[start:end])
        tasks.append(FrameTask(int(rows[start, 0]), own.moment, own.camera, tuple(blur)))
    return tuple(tasks)


def _instant(row: Float64) -> Instant:
    viewmat = row[VIEW_COLUMN:LENS_COLUMN].reshape(4, 4)
    fx, fy, cx, cy, width, height, unit = row[LENS_COLUMN:INSTANT_COLUMN].tolist()
    return Instant(
        moment=_moment(
            row[1:POSE_COLUMN].tolist(),
            row[POSE_COLUMN:BODY_COLUMN],
            row[BODY_COLUMN:VIEW_COLUMN],
        ),
        camera=Camera(viewmat, fx, fy, cx, cy, int(width), int(height), unit),
    )


def map_splats(path: Path, count: int, create: bool) -> Float32:
    """(59 * count,) float32, mapped for writing: the fields of Splats, one after the other."""
    shape = (width(FIELDS) * count,)
    if create:
        try:
            return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        except OSError as error:
            raise _full(path, error) from error
    try:
        found = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, ValueError) as error:
        raise ProtocolError(f"{path.name} is not an array file: {error}") from error
    if found.dtype != np.float32 or found.shape != shape:
        raise ProtocolError(f"{path.name} holds {found.dtype} {found.shape}, not {count} splats")
    return found


def fill(block: Float32, splats: Splats) -> None:
    np.concatenate(blocks_of(splats), out=block)


def copy_out(block: Float32, count: int) -> Splats:
    fields, _ = fields_from(np.array(block), count)
    return Splats(**fields)


def _save(path: Path, array: NDArray[Any]) -> None:
    try:
        np.save(path, array, allow_pickle=False)
    except OSError as error:
        raise _full(path, error) from error


def _full(path: Path, error: OSError) -> EngineError:
    return EngineError(
        f"temporary folder {path.parent} cannot be written: {reason(error)}; make room there"
    )


def _load(path: Path, dtype: type, axes: int) -> NDArray[Any]:
    """Read whole, not mapped: the client may delete the file while the worker still uses it."""
    try:
        found = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise ProtocolError(f"{path.name} is not an array file: {error}") from error
    if found.dtype != dtype or found.ndim != axes:
        raise ProtocolError(f"{path.name} holds {found.dtype} with {found.ndim} axes")
    return np.array(found)
