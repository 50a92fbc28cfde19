"""Models that MediaPipe cannot load are named: its own, and those of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import ArgumentError, MissingPackageError
from core.prepare import face


@pytest.mark.parametrize("kind", [face.FaceFinder, face.FaceMesher, face.PersonFinder])
def test_a_folder_that_mediapipe_cannot_open_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """As on Windows, where the path has letters outside the code page."""

    def fail(*_: object, **__: object) -> None:
        raise FileNotFoundError("The path does not exist.\nface_landmark.tflite")

    solutions = face.mediapipe().solutions
    for module, name in (
        (solutions.face_detection, "FaceDetection"),
        (solutions.face_mesh, "FaceMesh"),
        (solutions.selfie_segmentation, "SelfieSegmentation"),
    ):
        monkeypatch.setattr(module, name, fail)
    folder = str(Path(face.mediapipe().__file__).parent)
    with pytest.raises(MissingPackageError, match="ASCII") as caught:
        kind() if kind is face.PersonFinder else kind(None)
    assert folder in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_of_any_name_is_given_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mediapipe.tasks.python import vision

    model = tmp_path / "Jürgen 頭.task"
    model.write_bytes(b"the model")
    seen = []

    def create(options: Any) -> None:
        seen.append(options.base_options)
        raise RuntimeError("no model")

    monkeypatch.setattr(vision.FaceLandmarker, "create_from_options", create)
    with pytest.raises(ArgumentError, match=r"Jürgen 頭.*no model"):
        face.FaceMesher(model)
    assert [(o.model_asset_buffer, o.model_asset_path) for o in seen] == [(b"the model", None)]
