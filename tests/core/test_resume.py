"""A bake goes on where it stopped: finished frames stay, others are baked, strangers refuse."""

from __future__ import annotations

import io
import struct
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.digest import voice_hash
from core.avatar.file import load_avatar, save_avatar
from core.bake.backends import backend_named, remembering
from core.bake.keys import picture_key, with_voice_digest
from core.bake.loop import bake
from core.bake.resume import unfinished
from core.cli import main
from core.errors import ArgumentError, AudioError
from core.images.exr import encode_exr
from core.images.headers import Headers, _read, read_headers
from core.images.notes import AVATAR, KEY, Notes
from core.records.avatar import Avatar
from core.records.camera import Camera
from core.records.job import BakeJob, Existing, FrameTask, Instant
from core.records.moment import Moment
from core.records.voice import PlacedSound, SoundMix, SoundPart, Waveform
from core.system.steps import finished
from core.worker.exchange import read_job, read_track, voice_fields, write_job, write_track
from tests.support.sound_files import wav
from tests.support.talking import files, job_for, small_avatar, sound

RESUME, RESUME_OVER = Existing(resume=True), Existing(resume=True, overwrite=True)
FORMATS = ["png", "exr", "exr-multilayer"]


@pytest.fixture(scope="module")
def egs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Avatar]:
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    return path, small_avatar(path)


def baked(job: BakeJob) -> None:
    list(bake(job, remembering(backend_named("numpy"))))


def left(job: BakeJob, existing: Existing = RESUME) -> list[int]:
    """Numbers of the frames that are not finished."""
    rest = finished(unfinished(job, existing))
    return [task.number for task in rest.frames] if rest else []


def key_of(job: BakeJob, task: FrameTask | None = None) -> str:
    job = finished(with_voice_digest(job))
    return picture_key(job, task or job.frames[0])


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_finished_frame_is_recognised_by_its_headers(
    egs: tuple[Path, Avatar], tmp_path: Path, file_format: str
) -> None:
    job = job_for(*egs, tmp_path, file_format=file_format)
    assert left(job) == [1, 2, 3, 4]
    baked(job)
    assert left(job) == []
    for task in job.frames:
        expected = Headers(egs[1].content_hash, key_of(job, task), whole=True)
        assert read_headers(job.path_of(task)) == expected
    job.path_of(job.frames[2]).unlink()
    assert left(job) == [3]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_cut_file_is_not_finished(
    egs: tuple[Path, Avatar], tmp_path: Path, file_format: str
) -> None:
    job = job_for(*egs, tmp_path, count=1, file_format=file_format)
    baked(job)
    path = job.path_of(job.frames[0])
    data = path.read_bytes()
    for size in [*range(len(data) - 64, len(data)), *range(1, len(data), 37)]:
        path.write_bytes(data[:size])
        found = read_headers(path)
        assert found is not None and not found.whole, size
    path.write_bytes(data[: len(data) // 2])
    assert left(job) == [1]
    path.write_bytes(data + b"x")
    assert left(job) == [1]
    path.write_bytes(b"")
    assert left(job) == [1]


@pytest.mark.parametrize("place", [2**40, 2**63 - 1, 2**63, 2**64 - 1])
def test_an_exr_whose_rows_lie_nowhere_is_not_finished(tmp_path: Path, place: int) -> None:
    notes = Notes(avatar="0" * 64, key="1" * 64)
    data = bytearray(encode_exr(np.full((4, 3, 4), 0.5, np.float32), notes=notes))
    path, size = tmp_path / "a.exr", len(data)
    path.write_bytes(data)
    assert read_headers(path) == Headers(notes.avatar, notes.key, whole=True)
    [table] = (at for at in range(size - 8) if struct.unpack_from("<Q", data, at) == (at + 8,))
    struct.pack_into("<Q", data, table, place)
    path.write_bytes(data)
    assert read_headers(path) == Headers(notes.avatar, notes.key)


@pytest.mark.parametrize("file_format", ["png", "exr"])
def test_no_pixel_is_read(egs: tuple[Path, Avatar], tmp_path: Path, file_format: str) -> None:
    class Counting(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.count += len(data)
            return data

    job = job_for(*egs, tmp_path, count=1, file_format=file_format)
    baked(job)
    data = job.path_of(job.frames[0]).read_bytes()
    file, texts = Counting(data), {}
    assert _read(file, len(data), texts)
    assert set(texts) >= {AVATAR, KEY} and file.count < 1500 < len(data)


def changed(value: Any) -> Any:
    """The next float after a number, or another value."""
    if value is None:
        return np.ones(12, np.float32)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, np.ndarray):
        out = value.copy()
        out.flat[-2] = np.nextafter(out.flat[-2], out.dtype.type(9))
        return out
    return float(np.nextafter(value, 9))


@pytest.mark.parametrize(
    ("part", "name"),
    [("moment", f.name) for f in fields(Moment)] + [("camera", f.name) for f in fields(Camera)],
)
def test_every_input_of_a_frame_is_in_its_key(
    egs: tuple[Path, Avatar], tmp_path: Path, part: str, name: str
) -> None:
    job = job_for(*egs, tmp_path)
    task = job.frames[1]
    record = getattr(task, part)
    other = replace(record, **{name: changed(getattr(record, name))})
    assert key_of(job, replace(task, **{part: other})) != key_of(job, task)
    instants = (Instant(task.moment, task.camera), Instant(task.moment, task.camera))
    blurred = replace(task, blur=instants)
    moved = replace(blurred, blur=(instants[0], replace(instants[1], **{part: other})))
    assert len({key_of(job, each) for each in (task, blurred, moved)}) == 3


def test_every_input_of_a_job_is_in_its_key(egs: tuple[Path, Avatar], tmp_path: Path) -> None:
    job = job_for(*egs, tmp_path)
    changes: list[dict[str, Any]] = [
        {},
        {"voice": sound(seed=1)},
        {"avatar_hash": "0" * 64},
        {"file_format": "exr"},
        {"background": False},
        {"sh_degree": 0},
        {"xmp": False},
    ]
    assert len({key_of(replace(job, **change)) for change in changes}) == len(changes)
    elsewhere = replace(job, directory=tmp_path / "x", stem="y", avatar_path=Path("z"))
    assert key_of(elsewhere) == key_of(job)


def test_frames_of_other_input_are_baked_again(egs: tuple[Path, Avatar], tmp_path: Path) -> None:
    job = job_for(*egs, tmp_path)
    baked(job)
    first, *rest = job.frames
    moved = replace(first, moment=replace(first.moment, eye=1.0))
    again = replace(job, frames=(moved, *rest))
    assert left(again) == [1]
    baked(finished(unfinished(again, RESUME)))
    assert left(again) == [] and left(job) == [1]
    louder = replace(job, voice=sound(seed=1))
    assert left(louder) == [1, 2, 3, 4]


def test_files_of_others_are_refused_unless_overwriting(
    egs: tuple[Path, Avatar], tmp_path: Path
) -> None:
    job = job_for(*egs, tmp_path)
    path = job.path_of(job.frames[1])
    path.write_bytes(b"a diary")
    with pytest.raises(ArgumentError, match=r"1 of 4 files .*frame_0002\.png, which holds no key"):
        left(job)
    assert left(job, RESUME_OVER) == [1, 2, 3, 4] and path.read_bytes() == b"a diary"
    other = tmp_path / "other.egs"
    save_avatar(replace(egs[1], name="other"), other)
    baked(job_for(other, load_avatar(other), tmp_path))
    with pytest.raises(ArgumentError, match=r"4 of 4 files .*made from another avatar.*--overwr"):
        left(job)
    path.unlink()
    path.mkdir()
    with pytest.raises(ArgumentError, match="4 of 4 files"):
        left(job)


def test_the_worker_computes_the_same_keys(egs: tuple[Path, Avatar], tmp_path: Path) -> None:
    """From the tables and tracks that it receives."""
    job = job_for(*egs, tmp_path)
    blur = tuple(Instant(task.moment, task.camera) for task in job.frames)
    job = replace(job, frames=(*job.frames[:3], replace(job.frames[3], blur=blur)))
    write_track(tmp_path / "t.npy", job.track)
    assert voice_hash(read_track(tmp_path / "t.npy")) == voice_hash(job.track)
    sent = read_job(tmp_path, write_job(tmp_path, "f.npy", job, voice_fields(job.voice, "t.npy")))
    pairs = zip(job.frames, sent.frames, strict=True)
    assert all(key_of(job, mine) == key_of(sent, its) for mine, its in pairs)
    known = replace(job, voice_digest="abc")
    fields_ = write_job(tmp_path, "f.npy", known, voice_fields(job.voice, "t.npy"))
    assert read_job(tmp_path, fields_).voice_digest == "abc"


def test_a_voice_is_known_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    data = bytes(range(250)) * 128
    file.write_bytes(wav(data))
    (tmp_path / "b.wav").write_bytes(file.read_bytes())
    part = SoundPart(file, 0.1, 0.5, name="x")
    wave = Waveform(np.linspace(0, 1, 50, dtype=np.float32))
    different = [
        None,
        file,
        part,
        replace(part, skip=0.2),
        replace(part, seconds=0.6),
        replace(part, slack=0.04),
        wave,
        SoundMix((PlacedSound(0.5, part), PlacedSound(1.0, wave)), 2.0),
        SoundMix((PlacedSound(0.6, part), PlacedSound(1.0, wave)), 2.0),
        SoundMix((PlacedSound(0.5, part), PlacedSound(1.0, wave)), 3.0),
    ]
    assert len({voice_hash(each) for each in different}) == len(different)
    same = replace(part, path=tmp_path / "b.wav", name="y", skip=0.1 + 1e-9)
    assert voice_hash(same) == voice_hash(part)
    before = voice_hash(file)
    file.write_bytes(wav(data[:8000]))
    assert voice_hash(file) != before
    with pytest.raises(AudioError, match=r"none\.wav does not exist"):
        voice_hash(tmp_path / "none.wav")


@pytest.mark.parametrize("engine", ["builtin", "worker"])
def test_the_command_goes_on(
    egs: tuple[Path, Avatar], tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    np.save(tmp_path / "sound.npy", sound().windows)
    out = tmp_path / "out"
    fixed = ["render", str(egs[0]), "--audio", str(tmp_path / "sound.npy"), "--out", str(out)]
    fixed += ["--backend", "numpy", "--engine", engine]
    assert main([*fixed, "--frames", "1-4"]) == 0
    whole = files(out)
    (out / "frame_0002.png").unlink()
    first = (out / "frame_0001.png").stat().st_mtime_ns
    capsys.readouterr()
    assert main([*fixed, "--frames", "1-4", "--skip-existing"]) == 0
    shown = capsys.readouterr()
    assert "3 of 4 frames are finished and stay" in shown.err
    assert "4 of 4 frames in" in shown.out
    assert files(out) == whole and (out / "frame_0001.png").stat().st_mtime_ns == first
    (out / "frame_0003.png").write_bytes(b"mine")
    assert main([*fixed, "--frames", "1-4", "--skip-existing"]) == 2
    assert (out / "frame_0003.png").read_bytes() == b"mine"
    assert main([*fixed, "--frames", "1-4", "--skip-existing", "--overwrite"]) == 0
    assert files(out) == whole
    assert main([*fixed, "--overwrite"]) == 2
