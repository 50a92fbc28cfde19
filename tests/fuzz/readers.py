"""The readers of foreign bytes, each with good files to damage."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from core.avatar.file import load_avatar, save_avatar
from core.dataset.eye_table import read_table
from core.dataset.files import list_frames
from core.dataset.landmarks import read_landmarks
from core.dataset.load import load_dataset
from core.dataset.pictures import read_picture
from core.dataset.report import Report
from core.dataset.track import read_track
from core.dataset.transforms import lens_of, poses_of, read_documents, rows_of, sound_rows_of
from core.evaluation.phonemes import load_phonemes
from core.formats.safetensors import read_tensors
from core.records.job import BakeJob, FrameTask
from core.records.moment import Moment
from core.records.voice import SoundPart
from core.training.config import TrainConfig
from core.training.state import Place, load_state, save_state
from core.worker.exchange import read_job, voice_fields, write_job
from core.worker.protocol import encode, read_message
from tests.fuzz.case import Case, Maker
from tests.fuzz.checkpoints import READERS as CHECKPOINTS
from tests.fuzz.documents import READERS as DOCUMENTS
from tests.fuzz.pictures import READERS as PICTURES
from tests.fuzz.sounds import READERS as SOUNDS
from tests.support.avatar_inputs import small_avatar, small_camera
from tests.support.synthetic import random_body
from tests.support.training_inputs import FOCAL, FRAMES, SIDE, make_clip


def avatar(folder: Path) -> Case:
    path = folder / "head.egs"
    save_avatar(dataclasses.replace(small_avatar(), body=random_body()), path)
    newest = path.read_bytes()
    save_avatar(small_avatar(), path)
    first = path.read_bytes().replace(b'"version":"2"', b'"version":"1"')
    return Case(path, (newest, first), lambda: load_avatar(path))


def avatar_header(folder: Path) -> Case:
    """The JSON header, behind a length that fits."""
    path = folder / "head.egs"
    save_avatar(small_avatar(), path)
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])

    def wrapped(header: bytes) -> bytes:
        return struct.pack("<Q", len(header)) + header + whole[8 + length :]

    return Case(path, (whole[8 : 8 + length],), lambda: load_avatar(path), wrapped)


def tensors(folder: Path) -> Case:
    path = folder / "x.safetensors"
    header = b'{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"k":"v"}}'
    seed = struct.pack("<Q", len(header)) + header + bytes(24)
    return Case(path, (seed,), lambda: read_tensors(path))


def in_clip(folder: Path, name: str, read: Callable[[Path], object], *more: bytes) -> Case:
    """A file of a dataset."""
    path = make_clip(folder / "d") / name
    return Case(path, (path.read_bytes(), *more), lambda: read(path))


def transforms(folder: Path) -> Case:
    pose = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0.7], [0, 0, 0, 1.0]]
    entry = {"img_id": 0, "aud_id": 0, "file_path": "00001.jpg", "transform_matrix": pose}
    lens = {"fl_x": FOCAL, "fl_y": FOCAL, "w": SIDE, "h": SIDE}
    other = {**lens, "frames": [entry]}

    def read(path: Path) -> None:
        report = Report()
        documents = read_documents(path.parent, report)
        report.finish()
        lens_of(path.parent, documents, report)
        rows_of(path.parent, documents, FRAMES, report)
        poses_of(documents)
        sound_rows_of(documents, FRAMES)
        report.finish()

    return in_clip(folder, "transforms_train.json", read, json.dumps(other).encode())


def eye_table(folder: Path) -> Case:
    rows = "".join(f"{i + 1}, 0, {i / 30:.3f}, 0.9, 1, 0.5\n" for i in range(FRAMES))
    openface = "frame, face_id, timestamp, confidence, success, AU45_r\n" + rows
    return in_clip(folder, "au.csv", lambda path: read_table(path, FRAMES, []), openface.encode())


def landmarks(folder: Path) -> Case:
    return in_clip(folder, "ori_imgs/0.lms", read_landmarks)


def track(folder: Path) -> Case:
    def read(path: Path) -> None:
        report = Report()
        listing = list_frames(path.parent)
        read_track(path.parent, listing, read_documents(path.parent, report), report)
        report.finish()

    return in_clip(folder, "track_params.pt", read)


def jpeg(folder: Path) -> Case:
    return in_clip(folder, "ori_imgs/0.jpg", read_picture)


def png(folder: Path) -> Case:
    return in_clip(folder, "torso_imgs/0.png", lambda path: read_picture(path, "RGBA"))


def dataset(folder: Path) -> Case:
    """A whole folder, whose transforms are damaged."""
    return in_clip(folder, "transforms_train.json", lambda path: load_dataset(path.parent))


def phonemes(folder: Path) -> Case:
    path = folder / "phonemes.json"
    seed = b'{"events": [[0.0, "m"], [0.1, "a"], [0.35, "b"]]}'
    return Case(path, (seed,), lambda: load_phonemes(path))


def state(folder: Path) -> Case:
    path = folder / "state.safetensors"
    place = Place("static", 3, {"static": 1.0}, 1, 0)
    save_state(path, TrainConfig(), place, {"head": {"a": torch.zeros(2)}})
    return Case(path, (path.read_bytes(),), lambda: load_state(path, TrainConfig(), "cpu"))


def message(folder: Path) -> Case:
    path = folder / "message"
    seed = encode({"type": "render", "id": 3, "moment": [0.0, 1.0], "names": {"a": "b"}})
    return Case(path, (seed, seed + seed), lambda: read_message(io.BytesIO(path.read_bytes())))


def job(folder: Path) -> Case:
    """A bake as Blender hands it to the worker."""
    path = folder / "job"
    frames = (FrameTask(1, Moment(0.0, 0.0, np.zeros(12, np.float32)), small_camera()),)
    sent = BakeJob(Path("/a.egs"), "00", SoundPart(Path("/a.wav"), 0.5, 2.0), frames, folder)
    fields = write_job(folder, "frames.npy", sent, voice_fields(sent.voice))
    seed = encode({"type": "bake", **fields})[4:]

    def read() -> None:
        found = read_message(io.BytesIO(path.read_bytes()))
        if found is not None:
            read_job(folder, found)

    return Case(path, (seed,), read, lambda body: struct.pack(">I", len(body)) + body)


READERS: dict[str, Maker] = {
    "avatar (.egs)": avatar,
    "header of an avatar": avatar_header,
    "safetensors": tensors,
    **CHECKPOINTS,
    **SOUNDS,
    "transforms_*.json": transforms,
    "dataset folder": dataset,
    "au.csv": eye_table,
    "landmarks (.lms)": landmarks,
    "track_params.pt": track,
    "JPEG of a dataset": jpeg,
    "PNG of a dataset": png,
    "phonemes": phonemes,
    "training state": state,
    "message to the worker": message,
    "bake sent to the worker": job,
    **DOCUMENTS,
    **PICTURES,
}
