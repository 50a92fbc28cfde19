"""Blender as a module, in a profile that is thrown away, with the extension loaded by its path."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HAS_BLENDER = importlib.util.find_spec("bpy") is not None
# Only a run of these tests in a Python with bpy may collect them.
collect_ignore_glob = [] if HAS_BLENDER else ["test_*.py"]


def load(name: str, path: Path) -> Any:
    """A module of a file that no package holds."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if HAS_BLENDER:
    PROFILE = tempfile.mkdtemp(prefix="egstalker_profile_")
    os.environ["BLENDER_USER_RESOURCES"] = PROFILE
    graphics = load("graphics", ROOT / ".ci" / "graphics.py")
    os.environ.update(graphics.environ_for_blender(os.environ))
    import bpy

    batch = load("egstalker_batch", ROOT / "egstalker_blender" / "batch.py")
    batch.load_extension()  # from here on `import egstalker...` works
    from tests.support.blender import make_avatar, voice, write_wav

    def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
        session.config.egstalker_status = int(exitstatus)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(config: pytest.Config) -> None:
        """Blender can hang at exit: leave at once, with pytest's own code."""
        status = getattr(config, "egstalker_status", None)
        if status is None:
            return
        sys.modules["egstalker.egstalker_blender.engines"].close()
        shutil.rmtree(PROFILE, ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    @pytest.fixture
    def scene() -> Iterator[Any]:
        """An empty scene: 25 frames a second, one world unit a metre, no camera."""
        bpy.ops.wm.read_factory_settings(use_empty=True)
        scene = bpy.context.scene
        scene.render.fps, scene.render.fps_base = 25, 1.0
        yield scene
        sys.modules["egstalker.egstalker_blender.engines"].close()

    @pytest.fixture(scope="session")
    def avatar_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
        return make_avatar(tmp_path_factory.mktemp("avatar") / "tiny head.egs")

    @pytest.fixture
    def head(scene: Any, avatar_path: Path, tmp_path: Path) -> Any:
        """A linked avatar that writes three frames into tmp_path/out."""
        bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
        obj = bpy.context.object
        bpy.ops.egstalker.link_sound_file(
            filepath=str(write_wav(tmp_path / "voice.wav", voice(1.0)))
        )
        obj.egstalker.output_path, obj.egstalker.file_stem = str(tmp_path / "out"), "frame_"
        scene.frame_start, scene.frame_end = 2, 4
        return obj

    @pytest.fixture
    def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
        """Takes the place of whatever engine is asked for."""
        from egstalker.core.engine.fake import FakeEngine
        from egstalker.egstalker_blender import engines

        engine = FakeEngine()
        engines.close()
        monkeypatch.setattr(engines, "open_engine", lambda *key: engine)
        return engine
