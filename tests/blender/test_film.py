"""*Bake Video*: pictures and voice of a film, read back by Blender's own readers."""

from __future__ import annotations

import itertools
import math
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from egstalker.core.errors import ArgumentError, AudioError, OutputError
from egstalker.core.images.png import write_png
from egstalker.core.images.xmp import COMPOSITE, GENERATED
from egstalker.egstalker_blender import cli
from egstalker.egstalker_blender.film import encode, operators, plan
from egstalker.egstalker_blender.film.encode import Film, encode_steps, film_path
from egstalker.egstalker_blender.film.plan import chosen_path
from egstalker.egstalker_blender.film.voice import voice_of
from egstalker.egstalker_blender.gather import read_settings
from egstalker.egstalker_blender.sound import windows
from egstalker.egstalker_blender.sound.elsewhere import mix_steps

from core.audio.files import load_waveform
from tests.support.blender import names, voice, write_wav
from tests.support.blender_compositor import compositor
from tests.support.blender_film import RATE, boxes, clip, heard, picture, state_of, write_voice
from tests.support.blender_strips import mixdown, noise

FLASH, COUNT = 12, 20  # frames


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, ...]:
    """Dark ones, one of them white, half of it transparent."""
    folder = tmp_path / "frames #1 {x} é"
    folder.mkdir()
    found = []
    for number in range(1, COUNT + 1):
        pixels = np.full((32, 48, 4), 255 if number == FLASH else 20, np.uint8)
        pixels[:, :24, 3] = 255
        pixels[:, 24:, 3] = 128
        path = folder / f"frame_{number:04d}.png"
        write_png(path, pixels)
        found.append(path)
    return tuple(found)


def click(path: Path) -> Path:
    """Silent but for the time of the white picture."""
    samples = np.zeros(COUNT * RATE // 25)
    start = (FLASH - 1) * RATE // 25
    samples[start : start + RATE // 25] = 0.8 * np.sin(np.arange(RATE // 25) / 3)
    return write_wav(path, samples, RATE)


def film_of(path: Path, pictures: tuple[Path, ...], **changes: Any) -> Film:
    fields = {"size": (48, 32), "fps": 25, "fps_base": 1.0, "alpha": False, "xmp": "<x/>"}
    return Film(path, pictures, **{**fields, "sound": None, **changes})


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_picture_and_sound_are_in_step(
    scene: Any, tmp_path: Path, pictures: tuple[Path, ...], kind: str
) -> None:
    made = film_of(
        tmp_path / "out #2 {y}" / f"a film.{kind}",
        pictures,
        alpha=kind == "webm",
        sound=click(tmp_path / "click.wav"),
    )
    made.path.parent.mkdir()
    steps = list(encode_steps(made))
    assert [steps[-1].done, steps[-1].path] == [COUNT, made.path]
    assert all(a.done <= b.done for a, b in itertools.pairwise(steps))
    assert clip(made.path) == (COUNT, 25.0, (48, 32))
    white, dark = (picture(made.path, frame, tmp_path) for frame in (FLASH, FLASH + 1))
    assert white[:, 4:20, :3].min() > 240 and dark[:, 4:20, :3].max() < 40
    half = white[:, 28:44]
    if kind == "webm":
        assert abs(int(np.median(half[..., 3])) - 128) < 6 and half[..., :3].min() > 230
        assert names(made.path.parent) == ["a film.webm", "a film.xmp"]
        assert made.path.with_suffix(".xmp").read_text() == "<x/>"
    else:
        assert abs(int(np.median(half[..., :3])) - 128) < 8  # over black
        assert names(made.path.parent) == ["a film.mp4"]
        assert boxes(made.path)[b"uuid"][16:] == b"<x/>"
    sound = np.abs(heard(made.path, tmp_path, COUNT))
    loud = np.flatnonzero(sound > 0.3 * sound.max())
    assert 25 * loud[0] / RATE + 1 == pytest.approx(FLASH, abs=0.5)
    assert 25 * loud[-1] / RATE + 1 == pytest.approx(FLASH + 1, abs=0.5)


def test_the_same_film_twice_is_the_same_file_and_a_stop_leaves_nothing(
    tmp_path: Path, pictures: tuple[Path, ...]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    longest = f"{'ä' * 125}x.mp4"  # 255 bytes
    made = film_of(folder / longest, pictures, xmp="")
    with closing(encode_steps(made)) as steps:
        assert next(steps).stage == "encoding"
        assert len(names(folder)) == 1  # the hidden folder
    assert names(folder) == []
    list(encode_steps(made))
    first = made.path.read_bytes()
    assert b"uuid" not in boxes(made.path)
    list(encode_steps(made))
    assert made.path.read_bytes() == first and names(folder) == [longest]


def test_a_film_that_cannot_be_encoded_keeps_the_old_one(
    tmp_path: Path, pictures: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "a.mp4"
    old.write_bytes(b"old")
    script = tmp_path / "encoder.py"
    script.write_text("def run(job):\n    raise RuntimeError('Error: no such\\ncodec')\n")
    monkeypatch.setattr(encode, "ENCODER", script)
    with pytest.raises(OutputError, match=r"film a\.mp4 was not encoded: no such codec"):
        list(encode_steps(film_of(old, pictures)))
    assert old.read_bytes() == b"old"
    assert [name for name in names(tmp_path) if name.startswith(".")] == []


# The voice ------------------------------------------------------------------------------------


def test_the_voice_is_what_blender_plays_of_its_strips(
    scene: Any, head: Any, tmp_path: Path
) -> None:
    """Two pieces, one of them quiet and keyed, in their places; other strips are not heard."""
    scene.sequence_editor_clear()
    voices = [windows.add_strip(scene, noise(tmp_path / f"v{k}.wav", 1.0, k), 5) for k in (1, 2)]
    for strip, (name, volume) in zip(voices, (("line a", 0.4), ("line b", 1.0)), strict=True):
        strip.name, strip.volume = name, volume
    voices[1].keyframe_insert("volume", frame=10)
    voices[1].volume = 0.0
    voices[1].keyframe_insert("volume", frame=20)
    music = windows.add_strip(scene, noise(tmp_path / "music.wav", 2.0, 3), 1)
    head.egstalker.sound_source, head.egstalker.sound_strip = "STRIP", "line*"
    scene.frame_set(7)
    scene.collection.objects.link(bpy.data.objects.new("large", bpy.data.meshes.new("large")))
    tree, _ = compositor(scene)
    tree.nodes.new("CompositorNodeRLayers").scene = scene
    assert write_voice(scene, head, 3, 32, tmp_path / "voice.wav")
    assert not music.mute
    ours = load_waveform(tmp_path / "voice.wav").samples
    music.mute = True
    truth = mixdown(scene, tmp_path, 3, 33)
    count = min(len(ours), len(truth))
    assert count >= 30 * RATE // 25 - 2
    step = ours[:count] - truth[:count]  # mixed at two rates
    assert math.sqrt((step**2).mean()) < 0.1 * math.sqrt((truth**2).mean())
    assert np.abs(ours[: RATE // 25]).max() < 0.01 < np.abs(ours[3 * RATE // 25 :]).max()


def test_a_voice_without_sound(scene: Any, head: Any, tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    props = head.egstalker
    props.sound_source, props.sound_file = "FILE", str(tmp_path / "features.npy")
    assert not write_voice(scene, head, 1, 5, path)
    props.sound_source, props.sound_strip = "STRIP", ""
    assert not write_voice(scene, head, 1, 5, path)
    props.sound_source = "FILE"
    props.sound_file = str(write_wav(tmp_path / "own.wav", voice(1.0)))
    assert write_voice(scene, head, 1, 25, path) and path.stat().st_size > 48000


def test_the_sound_of_a_movie_strip_is_heard_at_its_place(
    scene: Any, head: Any, tmp_path: Path, pictures: tuple[Path, ...]
) -> None:
    made = film_of(tmp_path / "a.mp4", pictures, sound=click(tmp_path / "click.wav"))
    list(encode_steps(made))
    scene.sequence_editor_clear()
    strip = scene.sequence_editor_create().strips.new_movie("take", str(made.path), 1, 31)
    head.egstalker.sound_strip = strip.name
    assert write_voice(scene, head, 21, 60, tmp_path / "voice.wav")
    sound = np.abs(load_waveform(tmp_path / "voice.wav").samples)
    loud = np.flatnonzero(sound > 0.3 * sound.max())
    assert 25 * loud[0] / RATE + 21 == pytest.approx(30 + FLASH, abs=1)


# The operator and the command line ------------------------------------------------------------


def test_one_button_makes_a_film(scene: Any, head: Any, tmp_path: Path) -> None:
    head.name = "A head: 1"
    before = state_of(scene)
    assert bpy.ops.egstalker.bake_video(engine="builtin") == {"FINISHED"}
    out = tmp_path / "out"
    path = out / "A head_ 1.mp4"
    assert [name.rpartition(".")[2] for name in names(out)].count("png") == 3
    assert clip(path) == (3, 25.0, (56, 48))
    assert COMPOSITE.encode() in boxes(path)[b"uuid"]
    assert np.abs(heard(path, tmp_path, 3)).max() > 0.1
    head.egstalker.keep_frames, head.egstalker.video_path = False, str(tmp_path / "x" / "b.v2")
    assert bpy.ops.egstalker.bake_video(engine="builtin") == {"FINISHED"}
    assert names(tmp_path / "x") == ["b.v2.mp4"]
    assert (tmp_path / "x" / "b.v2.mp4").read_bytes() == path.read_bytes()
    assert state_of(scene) == before


def test_a_sound_that_cannot_be_mixed_is_named(scene: Any, head: Any, tmp_path: Path) -> None:
    voice = voice_of(scene, head, 1, 5, tmp_path)
    assert voice is not None
    voice.source.write_bytes(b"no blend")
    with pytest.raises(AudioError, match=r"tiny head cannot be decoded \("):
        list(mix_steps(voice, tmp_path / "voice.wav"))


def test_an_existing_film_is_replaced_only_if_the_user_says_so(scene: Any, head: Any) -> None:
    """In a window; a script has decided already."""
    asked: list[str] = []

    class Manager:
        def invoke_confirm(self, *_: Any, message: str, **__: Any) -> set[str]:
            asked.append(message)
            return {"RUNNING_MODAL"}

    bake_video = operators.EGSTALKER_OT_bake_video
    path = chosen_path(read_settings(scene, head), head)
    context = SimpleNamespace(scene=scene, object=head, window_manager=Manager())
    operator = SimpleNamespace(_confirmed=False)
    assert bake_video.asks(operator, context, None) is None
    path.parent.mkdir()
    path.write_bytes(b"an older film")
    assert bake_video.asks(operator, context, None) == {"RUNNING_MODAL"}
    assert asked == [str(path)] and operator._confirmed


def test_a_film_from_the_command_line(
    scene: Any, avatar_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bpy.ops.egstalker.import_avatar(filepath=str(avatar_path))
    bpy.ops.egstalker.add_training_camera()
    sound = write_wav(tmp_path / "voice.wav", voice(0.2))
    options = ["--avatar", str(avatar_path), "--audio", str(sound), "--engine", "builtin"]
    options += ["--size", "40x30", "--frames", "1-4", "--video"]
    path = tmp_path / "out" / "film.webm"
    assert cli.main([*options, str(path), "--camera", "scene"]) == 0
    assert capsys.readouterr().err.count("mixing the voice") == 1
    assert names(path.parent) == ["film.webm", "film.xmp"]
    assert GENERATED in path.with_suffix(".xmp").read_text()
    assert clip(path) == (4, 25.0, (40, 30))
    alpha = picture(path, 2, tmp_path)[..., 3]
    assert alpha.min() < 20 and alpha.max() > 100
    for wrong in (["a.avi"], ["a.mp4", "--size", "41x30"], ["a.mp4", "--frames", "1,3"]):
        assert cli.main([*options, str(tmp_path / wrong[0]), *wrong[1:]]) == 2
    assert cli.main(options[:-1]) == 2  # neither frames nor film
    assert not (tmp_path / "a.mp4").exists()


def test_why_there_is_no_film(head: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert operators.EGSTALKER_OT_bake_video.reason(bpy.context) == ""
    monkeypatch.setattr(
        plan, "bpy", SimpleNamespace(app=SimpleNamespace(build_options=SimpleNamespace()))
    )
    monkeypatch.setattr(plan.bpy.app.build_options, "codec_ffmpeg", False, raising=False)
    assert "FFmpeg" in operators.EGSTALKER_OT_bake_video.reason(bpy.context)
    with pytest.raises(ArgumentError, match="FFmpeg"):
        plan.plan_for(tmp_path / "a.mp4", keep_frames=True)


def test_names_of_films() -> None:
    assert film_path(Path("a/b.v2"), "mp4") == Path("a/b.v2.mp4")
    assert film_path(Path("a/b.webm"), "mp4") == Path("a/b.mp4")
