"""The Train panel: buttons, reasons for disabled ones, contents; events a training survives."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from egstalker.core.errors import MissingPackageError
from egstalker.egstalker_blender import preferences
from egstalker.egstalker_blender.properties import is_avatar
from egstalker.egstalker_blender.setup_worker import session as worker_session
from egstalker.egstalker_blender.training import gather, operators, panel, picture, session
from egstalker.egstalker_blender.training.session import TrainingSession

from tests.blender.test_interface_panels import Layout, context
from tests.support.blender_training import LONG, fake_python
from tests.support.waiting import Gate, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended Python is a script")


@pytest.fixture
def mine(scene: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TrainingSession]:
    """A session of its own; nothing of it stays."""
    own = TrainingSession()
    monkeypatch.setattr(picture, "user_folder", lambda _name: tmp_path)
    monkeypatch.setattr(session, "_session", own)
    yield own
    own.close()
    picture.clear()


@pytest.fixture
def ready(
    mine: TrainingSession, tmp_path: Path, avatar_path: Path, monkeypatch: Any
) -> Callable[..., Any]:
    """All that a training needs, with a Python that pretends; returns the scene's settings."""

    def make(words: str = "", avatar: Path = avatar_path, **values: object) -> Any:
        python = fake_python(tmp_path / "python", avatar, words, **values)
        monkeypatch.setenv(preferences.WORKER_PYTHON_VARIABLE, str(python))
        (tmp_path / "clip").mkdir(exist_ok=True)
        props = bpy.context.scene.egstalker_training
        props.dataset, props.output = str(tmp_path / "clip"), str(tmp_path / "head.egs")
        return props

    return make


def begin(mine: TrainingSession, resume: bool = False) -> None:
    """As the button in a window, where nothing waits."""
    mine.begin(gather.settings_of(bpy.context, resume), bpy.context.scene)


def avatars() -> list[Any]:
    return [obj for obj in bpy.data.objects if is_avatar(obj)]


def arguments(folder: Path) -> list[str]:
    return json.loads((folder / "head.training" / "arguments.json").read_text())


def test_the_button_trains_and_imports(ready: Callable[..., Any], tmp_path: Path) -> None:
    props = ready()
    props.preset, props.minutes, props.features = "draft", 5, "phonetic"
    assert bpy.ops.egstalker.train() == {"FINISHED"}  # without a window it waits
    assert " ".join(arguments(tmp_path)[2:]) == (
        "--preset draft --device auto --minutes 5 --features phonetic --work "
        f"{tmp_path / 'head.training'}"
    )
    (obj,) = avatars()
    assert bpy.path.abspath(obj.egstalker.avatar_path) == str(tmp_path / "head.egs")
    assert session.session().result is None
    with pytest.raises(RuntimeError, match="no trained avatar to import"):
        bpy.ops.egstalker.train_import()


def test_a_result_that_is_not_wanted_waits_for_the_button(
    ready: Callable[..., Any], mine: TrainingSession
) -> None:
    ready().import_result = False
    bpy.ops.egstalker.train()
    assert not avatars() and mine.result is not None
    assert bpy.ops.egstalker.train_import("EXEC_DEFAULT", True) == {"FINISHED"}  # as the timer
    assert len(avatars()) == 1 and mine.result is None


def test_a_failure_is_reported_as_it_is(ready: Callable[..., Any]) -> None:
    ready("error")
    with pytest.raises(RuntimeError, match="clip/ori_imgs holds no frame; prepare it again"):
        bpy.ops.egstalker.train()
    assert not avatars()


def test_a_video_is_prepared_first(
    ready: Callable[..., Any], mine: TrainingSession, tmp_path: Path
) -> None:
    props = ready()
    props.source, props.video = "VIDEO", str(tmp_path / "film.mp4")
    with pytest.raises(RuntimeError, match=r"The video is not at .*film\.mp4"):
        bpy.ops.egstalker.train()
    until(lambda: not mine.probe.busy)
    fake_python(tmp_path / "python", tmp_path, "no-mediapipe")
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(RuntimeError, match="Videos need mediapipe"):
        bpy.ops.egstalker.train()
    mine.probe = session.Probe()
    ready()
    bpy.ops.egstalker.train()
    assert arguments(tmp_path)[0] == str(tmp_path / "film.dataset")


def test_stop_and_resume(ready: Callable[..., Any], mine: TrainingSession, tmp_path: Path) -> None:
    ready(**LONG)
    with pytest.raises(RuntimeError, match="has saved a state"):
        bpy.ops.egstalker.train_resume()
    with pytest.raises(RuntimeError, match="No training is running"):
        bpy.ops.egstalker.train_stop()
    begin(mine)
    with pytest.raises(RuntimeError, match="A training is running"):
        bpy.ops.egstalker.train()
    until(lambda: mine.tick() and mine.news.progress is not None)
    bpy.ops.egstalker.train_stop()
    until(lambda: not mine.tick())
    assert mine.state.kind == "stopped" and gather.can_resume(bpy.context.scene)
    ready()
    assert bpy.ops.egstalker.train_resume() == {"FINISHED"}
    assert arguments(tmp_path)[-1] == "--resume"
    assert len(avatars()) == 1


def test_why_it_cannot_start(
    ready: Callable[..., Any],
    mine: TrainingSession,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    props, reason = ready(), lambda: gather.blocker(bpy.context)
    assert reason() == ""
    monkeypatch.delenv(preferences.WORKER_PYTHON_VARIABLE)
    assert "Set Up in the preferences" in reason()
    monkeypatch.setenv(preferences.WORKER_PYTHON_VARIABLE, str(tmp_path / "none"))
    assert "is not a file" in reason()
    bare = fake_python(tmp_path / "bare", tmp_path, "no-torch")
    monkeypatch.setenv(preferences.WORKER_PYTHON_VARIABLE, str(bare))
    until(lambda: "Training needs torch" in reason())
    with pytest.raises(RuntimeError, match="Set Up adds it"):
        bpy.ops.egstalker.train()
    ready()
    for name, value, expected in (
        ("dataset", "", "Choose the dataset folder"),
        ("dataset", str(tmp_path / "no"), "folder is not at"),
        ("dataset", "//clip", "Save the .blend"),
        ("output", "", "Choose the avatar file"),
        ("output", "//head.egs", "Save the .blend"),
        ("output", str(tmp_path) + "/", "a file name"),
        ("output", str(tmp_path / "no" / "head.egs"), f"{tmp_path / 'no'} does not exist"),
    ):
        before = getattr(props, name)
        setattr(props, name, value)
        assert expected in reason()
        with pytest.raises(RuntimeError, match="poll"):
            bpy.ops.egstalker.train()
        setattr(props, name, before)
    monkeypatch.setattr(worker_session.WorkerSession, "running", True)
    assert reason() == "Wait until the worker is set up"


def test_what_is_not_known_yet_is_asked_at_the_start(
    ready: Callable[..., Any], mine: TrainingSession
) -> None:
    """The panel may not have been open."""
    ready("no-torch")
    with pytest.raises(MissingPackageError, match="needs torch"):
        operators.begin(bpy.context, resume=False)
    assert mine.job is None


def test_the_output_gets_its_suffix(ready: Callable[..., Any], tmp_path: Path) -> None:
    props = ready()
    props.output = str(tmp_path / "head.v2")
    assert gather.output_of(bpy.context.scene) == tmp_path / "head.v2.egs"


def test_undo_and_another_file_leave_it_alone(
    ready: Callable[..., Any], mine: TrainingSession, tmp_path: Path
) -> None:
    gate = Gate(tmp_path / "motion")
    ready(gates=tmp_path)
    begin(mine)
    pid = mine.job.pid
    bpy.ops.ed.undo_push(message="one")
    bpy.context.scene.frame_set(7)
    bpy.ops.ed.undo_push(message="two")
    bpy.ops.ed.undo()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert mine.tick() and mine.running and mine.job.pid == pid
    assert "head.egs" in "".join(drawn())  # this file's settings name another
    gate.open()
    until(lambda: not mine.tick())
    mine.try_import()
    # It was wanted in a scene that is no longer open; the button imports it into this one.
    assert mine.state.kind == "done" and not avatars()
    bpy.ops.egstalker.train_import()
    assert len(avatars()) == 1


def test_the_import_waits_while_hands_are_full(
    ready: Callable[..., Any], mine: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready()
    begin(mine)
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    until(lambda: mine.tick() and mine.result is not None)
    mine.try_import()
    assert not avatars() and mine.tick()  # it waits
    bpy.ops.object.mode_set(mode="OBJECT")
    mine.try_import()
    assert len(avatars()) == 1 and not mine.tick()


def test_a_result_that_is_no_avatar(
    ready: Callable[..., Any], mine: TrainingSession, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.egs"
    broken.write_bytes(b"nothing")
    ready(avatar=broken)
    begin(mine)
    until(lambda: mine.tick() and mine.result is not None)
    mine.try_import()
    assert mine.fault and not avatars()
    assert "shorter than 8 bytes" in mine.fault
    assert mine.fault.replace(" ", "") in "".join(drawn()).replace(" ", "")  # it is wrapped


class PanelLayout(Layout):
    enabled = True
    alignment = "EXPAND"

    def template_icon(self, icon_value: int, scale: float) -> None:
        assert icon_value > 0 and scale >= 1
        self.seen.append("picture")


def drawn() -> list[str]:
    layout = PanelLayout([])
    panel.EGSTALKER_PT_train.draw(SimpleNamespace(layout=layout), context())
    return layout.seen


def test_the_panel_at_rest(
    ready: Callable[..., Any], mine: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    props = ready()
    seen = drawn()
    assert {"dataset", "output", "preset", "minutes", "features"} <= set(seen)
    assert "egstalker.train" in seen and "egstalker.train_resume" not in seen
    props.source = "VIDEO"
    assert "Choose a video" in drawn() and "video" in drawn()
    names = {p.identifier for p in props.bl_rna.properties} - {"rna_type", "name"}
    assert names <= set(drawn()) | set(seen)
    assert all(props.bl_rna.properties[name].description for name in names)
    monkeypatch.delenv(preferences.WORKER_PYTHON_VARIABLE)
    assert "preferences.addon_show" not in drawn()  # loaded by its path, it has no preferences
    monkeypatch.setattr(
        preferences,
        "get",
        lambda: SimpleNamespace(worker_python="", landmark_model="", segmenter=""),
    )
    assert "preferences.addon_show" in drawn()


def test_the_panel_while_it_runs(
    ready: Callable[..., Any], mine: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "icon", lambda: picture.size()[0])  # none without a window
    ready(**LONG)
    begin(mine)
    until(lambda: mine.tick() and mine.news.preview is not None)
    picture.show(mine.news.preview)
    seen = drawn()
    text = " ".join(seen)
    assert "egstalker.train_stop" in seen and "egstalker.train" not in seen
    assert "Shape " in text and "of 100000" in text and "so far" in text and " left" in text
    assert "Loss 0." in text and "PSNR 20" in text and "Gaussians" in text and "picture" in seen
    mine.stop()
    assert any("Saving the state" in line for line in drawn())
    until(lambda: not mine.tick())
    assert "egstalker.train_resume" in drawn() and "picture" in drawn()
