"""The readers of what surrounds pictures: headers of finished frames, weights of LPIPS, classes of
a segmentation, eyes of other tools, and a dataset that a prepared one is compared with."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np

from core.dataset.eyes import read_eyes
from core.errors import InputError
from core.images.exr import encode_exr
from core.images.headers import read_headers
from core.images.notes import Notes
from core.images.png import encode_png
from core.images.stamp import add_xmp
from core.images.xmp import BEGIN
from core.metrics.lpips_weights import LAYERS, find_weights
from core.prepare.compare import compare
from core.prepare.segmentation.network import check_network
from tests.fuzz.case import Case, Maker
from tests.support.training_inputs import FOCAL, FRAMES, SIDE, make_clip

NOTES = Notes(avatar="0" * 64, key="1" * 64)


def headers(folder: Path) -> Case:
    """Of a picture that an earlier bake may have left: any other content is no picture of ours."""
    path = folder / "frame"
    image = np.full((40, 3, 4), 0.5, np.float32)
    seeds = encode_png(image, notes=NOTES), encode_exr(image, notes=NOTES)

    def read() -> None:
        found = read_headers(path)
        if found is None or not found.whole:
            raise InputError("no picture of ours")

    return Case(path, seeds, read)


def rendered(folder: Path) -> Case:
    """A picture of Blender's own, into which a packet is written."""
    path = folder / "frame"
    jpeg = (make_clip(folder / "d") / "ori_imgs" / "0.jpg").read_bytes()
    seeds = encode_png(np.zeros((4, 4, 4), np.float32)), jpeg
    return Case(path, seeds, lambda: add_xmp(path, BEGIN))


def weights(folder: Path) -> Case:
    """Of LPIPS; of AlexNet's shapes, or a file of a few bytes."""
    path = folder / "lpips.npz"
    arrays = {}
    for number, (out, inputs, size) in enumerate(LAYERS):
        arrays[f"conv{number}.weight"] = np.zeros((out, inputs, size, size), np.float32)
        arrays[f"conv{number}.bias"] = arrays[f"lin{number}"] = np.zeros(out, np.float32)
    seeds = []
    for content in (arrays, {"lin0": np.ones(3, np.float32), "lin1": np.ones(2, np.complex64)}):
        file = io.BytesIO()
        np.savez_compressed(file, **content)
        seeds.append(file.getvalue())
    return Case(path, tuple(seeds), lambda: find_weights(path))


def classes(folder: Path) -> Case:
    """MODEL.json next to a segmentation network."""
    model = folder / "own.tflite"
    model.touch()
    seed = b'{"classes": ["background", "head", "skin", "torso"], "range": [-1, 1]}'
    return Case(folder / "own.tflite.json", (seed,), lambda: check_network(model))


def blendshapes(folder: Path) -> Case:
    """bs.npy of a dataset."""
    path = folder / "bs.npy"
    file = io.BytesIO()
    np.save(file, np.full((FRAMES, 52), 0.5, np.float32))
    landmarks = np.zeros((FRAMES, 68, 2), np.float32)
    return Case(path, (file.getvalue(),), lambda: read_eyes(folder, FRAMES, lambda: landmarks, []))


def true_dataset(folder: Path) -> Case:
    """The transforms of a dataset that a prepared one is compared with."""
    truth = make_clip(folder / "truth")
    path = truth / "transforms_train.json"
    turns = np.linspace(0, 0.3, 20)
    frames = []
    for row, angle in enumerate(turns.tolist()):
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        frames.append({"img_id": row, "transform_matrix": pose.tolist()})
    lens = {"focal_len": FOCAL, "cx": SIDE / 2, "cy": SIDE / 2}
    seed = json.dumps({**lens, "frames": frames}).encode()
    path.write_bytes(seed)
    found = Path(shutil.copytree(truth, folder / "found"))
    return Case(path, (seed,), lambda: compare(found, truth))


READERS: dict[str, Maker] = {
    "header of a finished frame": headers,
    "picture of Blender's render": rendered,
    "weights of LPIPS (.npz)": weights,
    "classes of a segmentation": classes,
    "eyes (bs.npy)": blendshapes,
    "dataset to compare with": true_dataset,
}
