"""From an avatar object to files, by every engine."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.engine.fake import FakeEngine
from egstalker.core.errors import ArgumentError, InputError, OutputError
from egstalker.egstalker_blender import bake, engines, preferences
from egstalker.egstalker_blender.gather import bake_job, read_settings
from mathutils import Euler, Vector

from core.audio.features import load_track
from core.avatar.file import load_avatar
from core.backends import backend_named
from core.bake import picture
from core.images.image import to_linear, to_uint8
from core.job import BakeJob
from core.plan import training_tasks
from tests.blender.support import HEIGHT, WIDTH, read_pixels, read_png, voice, write_wav


@pytest.fixture
def head(scene: Any, avatar_path: Path, tmp_path: Path) -> Any:
    """A linked avatar that writes three frames into tmp_path/out."""
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    obj = bpy.context.object
    bpy.ops.egstalker.link_sound_file(filepath=str(write_wav(tmp_path / "voice.wav", voice(1.0))))
    obj.egstalker.output_path = str(tmp_path / "out")
    scene.frame_start, scene.frame_end = 2, 4
    return obj


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    engines.close()
    monkeypatch.setattr(engines, "open_engine", lambda kind, python: engine)
    return engine


def job_of(obj: Any) -> Any:
    return bake_job(bpy.context, obj, read_settings(bpy.context.scene, obj))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def premultiplied(path: Path) -> np.ndarray:
    """Where nothing is seen, a straight colour means nothing."""
    pixels = read_pixels(path)
    return np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=-1)


def core_pictures(avatar_path: Path, sound: Path, **changes: Any) -> list[np.ndarray]:
    """What the core draws by itself, no Blender about: frames 2 to 4 at 25 a second."""
    avatar = load_avatar(avatar_path)
    track = load_track(sound, avatar.features)
    plate = changes.pop("plate", True)
    frames = training_tasks(avatar, (2, 3, 4), **changes)
    job = BakeJob(avatar_path, avatar.content_hash, track, frames, Path(), plate=plate)
    backend = backend_named("numpy")
    deformer = backend.prepare(avatar)
    return [picture(job, task, avatar, deformer, backend) for task in frames]


def test_png_is_the_cores_picture_to_the_bit(head: Any, avatar_path: Path, tmp_path: Path) -> None:
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    out = tmp_path / "out"
    assert names(out) == ["frame_0002.png", "frame_0003.png", "frame_0004.png"]
    expected = core_pictures(avatar_path, tmp_path / "voice.wav")
    for path, image in zip(sorted(out.iterdir()), expected, strict=True):
        pixels = read_png(path)
        assert pixels.shape == (HEIGHT, WIDTH, 4)
        assert np.array_equal(pixels, to_uint8(image))
    assert not np.array_equal(to_uint8(expected[0]), to_uint8(expected[2]))  # it moves


def test_exr_is_linear_within_half_precision(head: Any, avatar_path: Path, tmp_path: Path) -> None:
    head.egstalker.file_format = "exr"
    head.egstalker.use_plate = False
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    paths = sorted((tmp_path / "out").iterdir())
    assert [path.suffix for path in paths] == [".exr"] * 3
    expected = core_pictures(avatar_path, tmp_path / "voice.wav", plate=False)
    for path, image in zip(paths, expected, strict=True):
        linear = to_linear(image)
        assert linear[..., 3].max() > 0 and linear[..., 3].min() < 0.1
        assert np.abs(read_pixels(path) - linear).max() <= 2**-11  # half's step below 1


def test_own_size_pose_strength_and_offset_reach_the_core(
    head: Any, avatar_path: Path, tmp_path: Path
) -> None:
    props = head.egstalker
    props.size_source, props.width, props.height = "OWN", 40, 64
    props.pose_source, props.strength, props.audio_offset = "still", 0.5, 0.12
    props.use_plate = False
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    expected = core_pictures(
        avatar_path,
        tmp_path / "voice.wav",
        plate=False,
        size=(40, 64),
        pose="still",
        strength=0.5,
        offset=float(np.float32(0.12)),
    )
    for path, image in zip(sorted((tmp_path / "out").iterdir()), expected, strict=True):
        assert np.abs(read_png(path).astype(int) - to_uint8(image)).max() <= 1


def test_the_worker_draws_the_same(head: Any, tmp_path: Path) -> None:
    if not os.environ.get(preferences.WORKER_PYTHON_VARIABLE):
        pytest.skip(f"needs {preferences.WORKER_PYTHON_VARIABLE}, a Python that can run the worker")
    head.egstalker.file_stem = "worker_"
    assert bpy.ops.egstalker.bake(engine="worker") == {"FINISHED"}
    head.egstalker.file_stem = "builtin_"
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    for number in (2, 3, 4):
        by_worker = read_png(tmp_path / "out" / f"worker_{number:04d}.png").astype(int)
        builtin = read_png(tmp_path / "out" / f"builtin_{number:04d}.png").astype(int)
        assert np.abs(by_worker - builtin).max() <= 1


def test_the_scene_camera_sees_what_the_training_camera_saw(head: Any, tmp_path: Path) -> None:
    """Wherever the head is placed in the scene."""
    head.location, head.rotation_euler = Vector((1, 2, 3)), Euler((0.3, -0.2, 0.9))
    head.scale = (1.5, 1.5, 1.5)
    props = head.egstalker
    props.pose_source, props.use_plate, props.file_stem = "still", False, "training_"
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    assert bpy.ops.egstalker.add_training_camera() == {"FINISHED"}
    props.camera_source, props.file_stem = "scene", "scene_"
    bpy.context.view_layer.objects.active = head
    assert bpy.ops.egstalker.bake(engine="builtin") == {"FINISHED"}
    for number in (2, 3, 4):
        training = premultiplied(tmp_path / "out" / f"training_{number:04d}.png")
        scene = premultiplied(tmp_path / "out" / f"scene_{number:04d}.png")
        assert training[..., 3].max() > 0.5
        assert np.abs(training - scene).max() <= 1.01 / 255


def test_a_moving_camera_moves_the_picture_and_the_frame_comes_back(head: Any, scene: Any) -> None:
    bpy.ops.egstalker.add_training_camera()
    camera = scene.camera
    camera.keyframe_insert("location", frame=2)
    camera.location.x += 0.4
    camera.keyframe_insert("location", frame=4)
    head.egstalker.camera_source = "scene"
    scene.frame_set(17, subframe=0.25)
    tasks = job_of(head).frames
    assert (scene.frame_current, scene.frame_subframe) == (17, 0.25)
    steps = np.diff([task.camera.centre[0] for task in tasks])
    assert steps.sum() == pytest.approx(4, abs=1e-3)  # decimetres
    assert (steps > 0).all()


def test_animated_controls_are_read_at_every_frame(head: Any, scene: Any) -> None:
    props = head.egstalker
    for frame, value in ((2, 0.0), (4, 1.0)):
        props.audio_offset = props.strength = value
        props.keyframe_insert("audio_offset", frame=frame)
        props.keyframe_insert("strength", frame=frame)
    tasks = job_of(head).frames
    assert [task.moment.strength for task in tasks] == pytest.approx([0, 0.5, 1])
    seconds = [task.moment.seconds for task in tasks]
    assert seconds == pytest.approx([1 / 25 - 0, 2 / 25 - 0.5, 3 / 25 - 1])


def test_time_follows_the_strip_and_the_frame_rate(head: Any, scene: Any, tmp_path: Path) -> None:
    scene.render.fps, scene.render.fps_base = 30, 1.001
    bpy.ops.egstalker.link_sound_file(filepath=str(tmp_path / "voice.wav"), frame=3)
    assert [t.moment.seconds for t in job_of(head).frames] == pytest.approx(
        [-1.001 / 30, 0, 1.001 / 30]
    )


def test_whole_sound_and_own_range(head: Any, scene: Any) -> None:
    props = head.egstalker
    props.range_source = "SOUND"
    assert [task.number for task in job_of(head).frames] == list(range(1, 26))
    scene.render.fps = 50  # the strip stays a second long
    assert len(job_of(head).frames) == 50
    props.range_source, props.frame_start, props.frame_end = "OWN", 7, 9
    assert [task.number for task in job_of(head).frames] == [7, 8, 9]
    props.frame_end = 6
    with pytest.raises(ArgumentError, match="no frame"):
        job_of(head)


def test_a_linked_file_without_a_strip(head: Any, scene: Any, tmp_path: Path) -> None:
    by_strip = job_of(head)
    path = str(tmp_path / "voice.wav")
    bpy.ops.egstalker.link_sound_file(filepath=path, add_strip=False)
    assert head.egstalker.sound_source == "FILE"
    by_file = job_of(head)
    assert np.array_equal(by_file.track.windows, by_strip.track.windows)
    assert [t.moment.seconds for t in by_file.frames] == [t.moment.seconds for t in by_strip.frames]


def test_link_sound_takes_a_named_strip_or_the_only_one(head: Any) -> None:
    head.egstalker.sound_source = "FILE"
    assert bpy.ops.egstalker.link_sound() == {"FINISHED"}
    assert (head.egstalker.sound_source, head.egstalker.sound_strip) == ("STRIP", "voice")
    with pytest.raises(RuntimeError, match="'voice'"):
        bpy.ops.egstalker.link_sound(strip="nothing")


def test_a_file_that_is_no_sound_makes_no_strip(head: Any, scene: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.egstalker.link_sound_file(filepath=str(tmp_path / "nothing.wav"))
    assert len(scene.sequence_editor.strips) == 1


def test_a_changed_avatar_is_refused(head: Any) -> None:
    head.egstalker.content_hash = "0" * 64
    with pytest.raises(InputError, match="import the avatar again"):
        job_of(head)


def test_names_cannot_leave_the_folder(head: Any) -> None:
    head.egstalker.file_stem = "../../frame_"
    with pytest.raises(ArgumentError, match="must not leave"):
        job_of(head)


def test_beside_an_unsaved_blend_nothing_can_be_written(head: Any) -> None:
    head.egstalker.output_path = "//egstalker/"
    with pytest.raises(ArgumentError, match="save it first"):
        job_of(head)


def test_why_a_bake_cannot_start(head: Any, scene: Any, tmp_path: Path) -> None:
    assert bake.blocker(bpy.context) == ""
    props = head.egstalker
    props.camera_source = "scene"
    assert "no camera" in bake.blocker(bpy.context)
    props.sound_strip = "nothing"
    assert "nothing" in bake.blocker(bpy.context)
    props.output_path = "//out"
    assert "Save" in bake.blocker(bpy.context)
    props.avatar_path = str(tmp_path / "gone.egs")
    assert "gone.egs" in bake.blocker(bpy.context)
    with pytest.raises(RuntimeError, match=r"gone\.egs"):
        bpy.ops.egstalker.bake()
    bpy.data.objects.remove(head)
    assert "Select an avatar" in bake.blocker(bpy.context)


def test_every_frame_must_be_there(head: Any, fake: FakeEngine) -> None:
    job = job_of(head)
    for number, _ in enumerate(bake.bake_frames(fake, job)):
        if number == 1:
            job.path_of(job.frames[0]).unlink()
            break
    with pytest.raises(OutputError, match="1 of 3 frames were not written, the first is 2"):
        steps = bake.bake_frames(fake, job)
        for progress in steps:
            if progress.done == 3:
                job.path_of(job.frames[0]).unlink()


def test_an_old_file_is_no_frame(head: Any, fake: FakeEngine) -> None:
    job = job_of(head)
    list(bake.bake_frames(fake, job))
    lazy = SimpleNamespace(bake=lambda job: (step for step in FakeEngine().bake(shorter)))
    shorter = replace(job, frames=job.frames[:2])
    with pytest.raises(OutputError, match="first is 4"):
        list(bake.bake_frames(lazy, job))


def test_an_engine_that_fails_is_reported(head: Any, fake: FakeEngine, tmp_path: Path) -> None:
    fake.fail_at = 2
    with pytest.raises(RuntimeError, match="told to fail"):
        bpy.ops.egstalker.bake()
    assert names(tmp_path / "out") == ["frame_0002.png"]


class Window:
    """As much of a window manager as the modal operator touches."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.text: str | None = ""

    def event_timer_add(self, step: float, window: Any) -> str:
        return "timer"

    def event_timer_remove(self, timer: str) -> None:
        self.calls.append("timer removed")

    def progress_begin(self, low: int, high: int) -> None:
        self.calls.append(f"0..{high}")

    def progress_update(self, value: int) -> None:
        self.calls.append(str(value))

    def progress_end(self) -> None:
        self.calls.append("end")

    def modal_handler_add(self, operator: Any) -> None:
        self.calls.append("modal")

    def status_text_set(self, text: str | None) -> None:
        self.text = text


class Operator:
    """The operator's own functions without Blender's event loop, which does not run here."""

    engine, worker_python = "preferences", ""
    _steps = _timer = None
    invoke = bake.EGSTALKER_OT_bake.invoke
    modal = bake.EGSTALKER_OT_bake.modal
    cancel = bake.EGSTALKER_OT_bake.cancel
    _gather = bake.EGSTALKER_OT_bake._gather
    _engine = bake.EGSTALKER_OT_bake._engine
    _end = bake.EGSTALKER_OT_bake._end

    def __init__(self) -> None:
        self.reports: list[str] = []

    def report(self, kind: set[str], text: str) -> None:
        self.reports.append(text)


@pytest.fixture
def window(head: Any, fake: FakeEngine) -> Any:
    manager = Window()
    return SimpleNamespace(
        object=head,
        scene=bpy.context.scene,
        window=None,
        window_manager=manager,
        workspace=manager,
        evaluated_depsgraph_get=bpy.context.evaluated_depsgraph_get,
    )


TIMER, ESC, MOUSE = (SimpleNamespace(type=kind) for kind in ("TIMER", "ESC", "MOUSEMOVE"))


def test_step_by_step_in_the_window(window: Any, tmp_path: Path) -> None:
    operator = Operator()
    assert operator.invoke(window, TIMER) == {"RUNNING_MODAL"}
    assert operator.modal(window, MOUSE) == {"PASS_THROUGH"}
    results = [operator.modal(window, TIMER) for _ in range(5)]
    assert results == [{"RUNNING_MODAL"}] * 4 + [{"FINISHED"}]
    assert window.window_manager.calls == [
        "0..3",
        "modal",
        "0",
        "1",
        "2",
        "3",
        "timer removed",
        "end",
    ]
    assert window.window_manager.text is None
    assert len(names(tmp_path / "out")) == 3


def test_esc_stops_and_keeps_what_is_done(window: Any, tmp_path: Path) -> None:
    operator = Operator()
    operator.invoke(window, TIMER)
    for _ in range(3):
        operator.modal(window, TIMER)
    assert operator.modal(window, ESC) == {"CANCELLED"}
    assert names(tmp_path / "out") == ["frame_0002.png", "frame_0003.png"]
    assert window.window_manager.calls[-2:] == ["timer removed", "end"]
    operator.cancel(window)  # Blender may still call it
    assert window.window_manager.calls.count("end") == 1


def test_a_failing_engine_ends_the_modal_operator(window: Any, fake: FakeEngine) -> None:
    fake.fail_at = 1
    operator = Operator()
    operator.invoke(window, TIMER)
    operator.modal(window, TIMER)
    assert operator.modal(window, TIMER) == {"CANCELLED"}
    assert operator.reports == ["the fake engine was told to fail"]
    assert window.window_manager.text is None
