"""A segmentation network that the user names: a .tflite, run by MediaPipe, or an .onnx.

What its classes are stands in a file beside it, `MODEL.json`:

    {"classes": ["background", "head", "skin", "head", "torso", "other"]}

in the order of the network's outputs: background; head (face, hair, glasses, hat); skin (neck below
the jaw, torso elsewhere); torso (clothes); other (head above the jaw, torso below); person (an
outline alone: the clip's colours tell its parts apart). Without the file one output is a person,
two are background and person, and six are those of MediaPipe's selfie_multiclass_256x256: the line
above. For an .onnx, "range" gives the values of black and white: [0, 1] by default."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArgumentError, MissingPackageError
from ...images.pillow import resized
from ...records.arrays import Float32
from ...system.files import read_bounded
from ..face import mediapipe
from ..pictures import Pixels
from ..state import digest_of, digest_of_file
from .filters import enlarged
from .view import SIDE

KINDS = ("background", "person", "head", "skin", "torso", "other")
USUAL = {
    1: ("person",),
    2: ("background", "person"),
    6: ("background", "head", "skin", "head", "torso", "other"),
}
SUFFIXES = (".tflite", ".onnx")
MAX_TEXT, MAX_MODEL = 2**16, 2**30  # bytes
MOST_SIDE, MOST_CLASSES = 2048, 64  # of a network's picture and outputs
MOST_VALUES = 2**28  # of a tensor

Run = Callable[[Pixels], list[Float32]]  # (SIDE, SIDE, 3) -> the masks of the classes, (h, w)


@dataclass(frozen=True, eq=False)
class Network:
    """classes: the kind of each of its outputs."""

    classes: tuple[str, ...]
    run: Run

    @property
    def has_parts(self) -> bool:
        """The network tells the parts of a person apart."""
        return not {"background", "person"}.issuperset(self.classes)

    def find(self, pixels: Pixels) -> dict[str, Float32]:
        """(SIDE, SIDE) probability of each of KINDS that the network knows."""
        masks = self.run(np.ascontiguousarray(resized(pixels, SIDE, SIDE, "BOX")))
        out: dict[str, Float32] = {}
        for kind, mask in zip(self.classes, masks, strict=True):
            chance = mask if mask.shape == (SIDE, SIDE) else enlarged(mask, SIDE)
            out[kind] = out[kind] + chance if kind in out else chance
        return out


def load_network(path: Path) -> Network:
    """ArgumentError: not such a model, or its MODEL.json does not fit. MissingPackageError:
    onnxruntime."""
    settings = _settings(path)
    run = _onnx(path, settings["range"]) if path.suffix.lower() == ".onnx" else _tflite(path)
    count = len(run(np.zeros((SIDE, SIDE, 3), np.uint8)))
    classes = settings["classes"] or USUAL.get(count, ())
    if len(classes) != count:
        raise ArgumentError(
            f"--segmenter {path} has {count} classes, but {_beside(path)} names "
            f"{len(classes) or 'none'}; name each of them, in their order: {', '.join(KINDS)}"
        )
    return Network(classes, run)


def check_network(path: Path) -> None:
    """ArgumentError if the file cannot be a network, before anything is loaded."""
    if not path.is_file() or path.suffix.lower() not in SUFFIXES:
        raise ArgumentError(
            f"--segmenter {path} is no {' or '.join(SUFFIXES)} file; give MediaPipe's "
            "selfie_multiclass_256x256.tflite or another network"
        )
    _settings(path)


def digest_of_network(path: Path) -> str:
    """A digest of everything that the masks depend on."""
    beside = _beside(path)
    files = [path, beside] if beside.is_file() else [path]
    return digest_of(*map(digest_of_file, files))


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _settings(path: Path) -> dict[str, Any]:
    file = _beside(path)
    if not file.is_file():
        return {"classes": (), "range": (0.0, 1.0)}
    try:
        found = json.loads(read_bounded(file, ArgumentError, MAX_TEXT))
        classes, span = found["classes"], found.get("range", [0, 1])
        black, white = (float(value) for value in span)
        right = isinstance(classes, list) and 0 < len(classes) <= MOST_CLASSES
        if not right or any(kind not in KINDS for kind in classes) or not black < white:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ArgumentError(
            f'{file} must be {{"classes": [...]}} with a word for each output of the network: '
            f"{', '.join(KINDS)}"
        ) from None
    return {"classes": tuple(classes), "range": (black, white)}


def _refused(path: Path, error: object) -> ArgumentError:
    text = str(error).strip().splitlines()
    if isinstance(error, ArgumentError):
        return error
    return ArgumentError(
        f"--segmenter {path} is no segmentation network that can be run "
        f"({text[0] if text else type(error).__name__}); give MediaPipe's "
        "selfie_multiclass_256x256.tflite or another network"
    )


def _tflite(path: Path) -> Run:
    package = mediapipe()
    from mediapipe.tasks.python import BaseOptions, vision

    data = read_bounded(path, ArgumentError, MAX_MODEL)
    try:
        _check_sizes(data)
        options = vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_buffer=data), output_confidence_masks=True
        )
        task = vision.ImageSegmenter.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise _refused(path, error) from None

    def run(pixels: Pixels) -> list[Float32]:
        picture = package.Image(image_format=package.ImageFormat.SRGB, data=pixels)
        try:
            masks = task.segment(picture).confidence_masks
        except (RuntimeError, ValueError) as error:
            raise _refused(path, error) from None
        return [np.array(mask.numpy_view(), np.float32).reshape(SIDE, SIDE) for mask in masks]

    return run


def _check_sizes(data: bytes) -> None:
    """ValueError if a tensor of a .tflite is too large, before it is allocated."""
    try:
        from mediapipe.tasks.metadata import schema_py_generated as schema
    except ImportError:  # a MediaPipe without its tools for metadata
        return
    try:
        graph = schema.Model.GetRootAsModel(data, 0).Subgraphs(0)
        shapes = [graph.Tensors(k).ShapeAsNumpy() for k in range(graph.TensorsLength())]
        largest = max(math.prod(map(int, np.atleast_1d(shape))) for shape in shapes)
    except Exception as error:  # of any kind: the file is not what it should be
        raise ValueError("it is not a .tflite file") from error
    if largest > MOST_VALUES:
        raise ValueError(f"one of its tensors has {largest} values")


def _onnx(path: Path, span: tuple[float, float]) -> Run:
    """A network from one picture (1, 3, h, w) or (1, h, w, 3) to scores (1, K, h, w) or
    (1, h, w, K); they are made probabilities if they are not."""
    try:
        onnxruntime: Any = import_module("onnxruntime")  # not in the lists: most need none
    except ImportError:
        raise MissingPackageError(
            f"--segmenter {path} needs onnxruntime: pip install onnxruntime"
        ) from None
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        channels_first, side = _layout(entry.shape)
        _check_output(session.get_outputs()[0].shape)
    except Exception as error:  # onnxruntime's own errors have no common type
        raise _refused(path, error) from None

    def run(pixels: Pixels) -> list[Float32]:
        small = resized(pixels, side[1], side[0], "BICUBIC").astype(np.float32) / 255
        values = span[0] + (span[1] - span[0]) * small[None]
        if channels_first:
            values = np.ascontiguousarray(np.moveaxis(values, 3, 1))
        try:
            scores = np.asarray(session.run(None, {entry.name: values})[0], np.float32)
            return _chances(scores, channels_first)
        except Exception as error:
            raise _refused(path, error) from None

    return run


def _layout(shape: list[Any]) -> tuple[bool, tuple[int, int]]:
    """Whether channels come first, and height and width; ValueError if it is no picture."""
    sizes = [size if isinstance(size, int) else 0 for size in shape]
    if len(sizes) != 4 or 3 not in (sizes[1], sizes[3]):
        raise ValueError(f"its input {shape} is not (1, 3, h, w) or (1, h, w, 3)")
    first = sizes[1] == 3
    height, width = sizes[2:] if first else sizes[1:3]
    if max(height, width) > MOST_SIDE:
        raise ValueError(f"its input {shape} is larger than {MOST_SIDE} pixels")
    return first, (height or SIDE, width or SIDE)


def _check_output(shape: list[Any]) -> None:
    """ValueError if the output is too large, before it is computed."""
    sizes = [size for size in shape if isinstance(size, int)]
    if len(shape) != 4 or math.prod(sizes) > MOST_CLASSES * MOST_SIDE**2:
        raise ValueError(f"its output {shape} is not (1, K, h, w) or (1, h, w, K)")


def _chances(scores: Float32, channels_first: bool) -> list[Float32]:
    if scores.ndim != 4 or len(scores) != 1:
        raise ValueError(f"its output {scores.shape} is not (1, K, h, w) or (1, h, w, K)")
    masks = scores[0] if channels_first else np.moveaxis(scores[0], -1, 0)
    if len(masks) > MOST_CLASSES:
        raise ValueError(f"its output {scores.shape} has more than {MOST_CLASSES} classes")
    if masks.min() < 0 or masks.max() > 1:
        if len(masks) == 1:
            masks = 1 / (1 + np.exp(-masks))
        else:
            masks = np.exp(masks - masks.max(0))
            masks /= masks.sum(0)
    return [np.ascontiguousarray(mask, np.float32) for mask in masks]
