"""Dataset folders for the tests that read them: a complete one, and copies to break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def whole_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole dataset folder. Not to be changed."""
    from tests.support.training_inputs import make_clip  # needs torch

    return make_clip(tmp_path_factory.mktemp("clip") / "d")


@pytest.fixture
def clip_folder(whole_clip: Path, tmp_path: Path) -> Path:
    """A whole dataset folder to spoil."""
    return shutil.copytree(whole_clip, tmp_path / "d")


@pytest.fixture
def coarse_hull(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visual hull of few cells, for speed."""
    from core.dataset import visual_hull

    monkeypatch.setattr(visual_hull, "CELLS", 24)
