"""Which MediaPipe may run, and which model files are known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.errors import ArgumentError, MissingPackageError
from core.prepare import packages
from core.prepare.packages import check_packages, unknown_models

from ..test_dependencies import LOCKS, ROOT, pins


def install(folder: Path, version: str) -> None:
    """Packages that only have names and versions."""
    for module in packages.PACKAGES:
        (folder / module).mkdir()
        (folder / module / "__init__.py").touch()
    about = folder / f"mediapipe-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mediapipe\nVersion: {version}\n")


@pytest.mark.parametrize("version", ["0.10.35", "0.10.40", "0.11.0rc1", "1.2.3"])
def test_a_mediapipe_that_sends_usage_metrics_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    install(tmp_path, version)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPackageError, match="sends usage metrics") as found:
        check_packages()
    assert version in str(found.value) and "pip install" in str(found.value)
    assert "\n" not in str(found.value) and "mediapipe" not in sys.modules


@pytest.mark.parametrize("version", ["0.10.21", "0.10.30", "0.10.34"])
def test_others_may_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    install(tmp_path, version)
    monkeypatch.syspath_prepend(tmp_path)
    check_packages()


def test_no_lock_and_no_advice_names_such_a_version() -> None:
    advised = [packages.WITH_MODELS, packages.WITHOUT_MODELS]
    named = [packages._numbers(text) for text in advised]
    for lock in LOCKS:
        locked = pins((ROOT / lock).read_text()).get("mediapipe", set())
        named += [packages._numbers(version) for version in locked]
    assert len(named) > 2 and max(named) < packages.SENDS_METRICS


def test_an_unknown_model_is_noted_with_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, own = tmp_path / "face_landmarker.task", tmp_path / "own.tflite"
    model.write_bytes(b"known")
    own.write_bytes(b"own")
    monkeypatch.setattr(packages, "KNOWN", {packages.hash_of(model): "face_landmarker.task"})
    lines = list(unknown_models({"--landmark-model": model, "--segmenter": own, "-x": None}))
    assert len(lines) == 1 and lines[0].startswith("--segmenter own.tflite")
    assert packages.hash_of(own) in lines[0]
    with pytest.raises(ArgumentError, match=r"--landmark-model .* cannot be read"):
        list(unknown_models({"--landmark-model": tmp_path / "gone"}))
