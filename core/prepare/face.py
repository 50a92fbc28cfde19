"""Faces, face meshes and the person's outline in a picture, by MediaPipe. Needs mediapipe.

Version 0.10.21 contains its models. Later versions do not: they need a face_landmarker .task file,
and masks from the user."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, MissingPackageError
from ..records.arrays import Float32, Float64
from ..system.files import read_bounded
from .mesh import MESH_POINTS
from .options import PrepareOptions
from .packages import INSTALL
from .pictures import Pixels

MOST_FACES = 3
LOG = "mediapipe.log"
MAX_MODEL = 2**28  # bytes; face_landmarker.task has 4 million


def mediapipe() -> Any:
    """The package. MissingPackageError if it is not installed."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mediapipe as package
    except ImportError:
        raise MissingPackageError(f"preparing a video needs mediapipe: {INSTALL}") from None
    return package


@contextmanager
def quiet(folder: Path) -> Iterator[None]:
    """Write the messages of MediaPipe's native code to a file in `folder`, not to the terminal."""
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # there is no standard error to redirect
        yield
        return
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(log, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # protobuf's own
            yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(log)


class FaceFinder:
    """Boxes of all faces in a picture, distant ones too, the largest first."""

    def __init__(self, model: Path | None) -> None:
        self._mesher = FaceMesher(model, still=True) if model is not None else None
        self._detector: Any = None
        if model is None:
            solutions = _solutions("--landmark-model face_landmarker.task")
            self._detector = _with_own_models(
                lambda: solutions.face_detection.FaceDetection(
                    model_selection=1, min_detection_confidence=0.6
                )
            )

    def find(self, pixels: Pixels) -> Float64:
        """(n, 4) x0, y0, x1, y1 in pixels: from the brows to the chin."""
        height, width = pixels.shape[:2]
        boxes = []
        if self._mesher is not None:
            boxes = [
                np.r_[face[:, :2].min(0), face[:, :2].max(0)] for face in self._mesher.find(pixels)
            ]
        else:
            for found in self._detector.process(pixels).detections or []:
                box = found.location_data.relative_bounding_box
                corners = (box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height)
                boxes.append(np.array(corners) * (width, height, width, height))
        boxes.sort(key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))
        return np.array(boxes, np.float64).reshape(-1, 4)


class FaceMesher:
    """Face meshes in successive pictures, or in unrelated ones (still)."""

    def __init__(self, model: Path | None, *, still: bool = False) -> None:
        self._task: Any = None
        self._graph: Any = None
        self._model = model
        self._package = mediapipe()
        if model is not None:
            self._task = self._landmarker(model)
        else:
            solutions = _solutions("--landmark-model face_landmarker.task")
            self._graph = _with_own_models(
                lambda: solutions.face_mesh.FaceMesh(
                    static_image_mode=still,
                    max_num_faces=MOST_FACES,
                    refine_landmarks=True,
                    min_detection_confidence=0.5,
                    min_tracking_confidence=0.5,
                )
            )

    def forget(self) -> None:
        """The next picture has nothing to do with those before."""
        if self._graph is not None:
            self._graph.reset()

    def _landmarker(self, model: Path) -> Any:
        from mediapipe.tasks.python import BaseOptions, vision

        # By its content: on Windows, MediaPipe opens no path with letters outside the code page.
        data = read_bounded(model, ArgumentError, MAX_MODEL)
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=data), num_faces=MOST_FACES
        )
        try:
            return vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise self._no_model(error) from None

    def _no_model(self, error: Exception) -> ArgumentError:
        text = str(error).splitlines()[0].rstrip(": ")
        return ArgumentError(
            f"--landmark-model {self._model} does not find a face's landmarks ({text}); give "
            "MediaPipe's face_landmarker.task"
        )

    def find(self, pixels: Pixels) -> list[Float64]:
        """(478, 3) of each face, the largest first: x and y in pixels, the first pixel's centre at
        0.5; z in pixels too, smaller is nearer."""
        height, width = pixels.shape[:2]
        if self._task is not None:
            picture = self._package.Image(image_format=self._package.ImageFormat.SRGB, data=pixels)
            try:
                found = self._task.detect(picture).face_landmarks
            except RuntimeError as error:  # its parts do not fit together
                raise self._no_model(error) from None
        else:
            found = [
                face.landmark for face in self._graph.process(pixels).multi_face_landmarks or []
            ]
        faces = [
            np.array([(p.x, p.y, p.z) for p in face], np.float64) * (width, height, width)
            for face in found
            if len(face) == MESH_POINTS
        ]
        faces.sort(key=lambda face: -float(np.prod(np.ptp(face[:, :2], axis=0))))
        return faces


class PersonFinder:
    """The probability that a pixel belongs to the person."""

    def __init__(self) -> None:
        solutions = _solutions("--segmenter selfie_segmenter.tflite, or --parsing FOLDER")
        self._graph = _with_own_models(
            lambda: solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
        )

    def find(self, pixels: Pixels) -> Float32:
        """(H, W) from 0 to 1."""
        return np.array(self._graph.process(pixels).segmentation_mask, np.float32)


def check_models(options: PrepareOptions) -> None:
    """MissingPackageError, before anything is computed, if this MediaPipe has no models and the
    user names none."""
    if options.landmark_model is None:
        _solutions("--landmark-model face_landmarker.task")
    if options.parsing is None and options.segmenter is None:
        _solutions("--segmenter selfie_segmenter.tflite, or --parsing FOLDER")


def _solutions(instead: str) -> Any:
    """MediaPipe's module with bundled models. MissingPackageError if this version has none."""
    package = mediapipe()
    if not hasattr(package, "solutions"):
        raise MissingPackageError(
            f"mediapipe {getattr(package, '__version__', '')} carries no models; install 0.10.21 "
            f"or give {instead}"
        )
    return package.solutions


def _with_own_models(make: Callable[[], Any]) -> Any:
    """make(), which loads models from MediaPipe's own folder. MissingPackageError."""
    try:
        return make()
    except (OSError, RuntimeError, ValueError) as error:
        folder = Path(mediapipe().__file__).parent
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MissingPackageError(
            f"mediapipe cannot load its own models from {folder} ({reason}); install it again, on "
            "Windows in a folder whose path has only ASCII letters"
        ) from None
