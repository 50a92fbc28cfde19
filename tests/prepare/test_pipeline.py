"""The whole preparation of a short video of a synthetic head: results, and kept steps."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="needs PyAV: make prepare")
pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.cli import main
from core.dataset.pictures import read_picture
from core.errors import ArgumentError, CancelledError, OutputError, VideoError
from core.prepare.log import LOG
from core.prepare.options import PrepareOptions
from core.prepare.pipeline import STEPS, prepare

from ..support.events import events_of
from ..support.videos import GOLDEN, pictures, tone, write

OPTIONS = PrepareOptions(size=256)
COUNT = 56


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "talker"
    steps: list[str] = []
    facts = prepare(
        GOLDEN,
        folder,
        OPTIONS,
        progress=lambda step, done, total: steps.append(step),
    )
    assert facts["frames"] == COUNT and list(dict.fromkeys(steps)) == list(STEPS)
    assert facts["missing"] == 0
    return folder


def test_every_file_of_the_layout_is_there(dataset: Path) -> None:
    for row in range(COUNT):
        assert read_picture(dataset / f"ori_imgs/{row}.jpg").shape == (256, 256, 3)
        assert read_picture(dataset / f"torso_imgs/{row}.png", "RGBA").shape == (256, 256, 4)
        colours = set(map(tuple, read_picture(dataset / f"parsing/{row}.png").reshape(-1, 3)))
        assert colours == {(255, 255, 255), (0, 0, 255), (0, 255, 0), (255, 0, 0)}
        assert len((dataset / f"ori_imgs/{row}.lms").read_text().split()) == 136
    train = json.loads((dataset / "transforms_train.json").read_text())
    val = json.loads((dataset / "transforms_val.json").read_text())
    ids = [frame["img_id"] for document in (train, val) for frame in document["frames"]]
    assert ids == list(range(COUNT)) and len(train["frames"]) == COUNT * 10 // 11
    with wave.open(str(dataset / "aud.wav")) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (16000, 1)
        assert sound.getnframes() == COUNT * 640
    assert len((dataset / "au.csv").read_text().splitlines()) == COUNT + 1
    assert (dataset / "track_params.pt").stat().st_size > 300_000
    assert read_picture(dataset / "bc.jpg").shape == (256, 256, 3)
    assert read_picture(dataset / "prepare_report.jpg").shape[1] == 960
    page = (dataset / "prepare_report.html").read_text(encoding="utf-8")
    state = json.loads((dataset / "prepare.json").read_text())["steps"]["report"]["facts"]
    grades = {found["name"]: found["grade"] for found in state["findings"]}
    assert len(grades) >= 22 and all(f"<td>{name}</td>" in page for name in grades)
    assert grades["length"] == "bad" and grades["sharpness"] == grades["even light"] == "good"


def test_the_log_names_every_step(dataset: Path) -> None:
    lines = [line[21:] for line in (dataset / "prepare" / LOG).read_text().splitlines()]
    assert lines[0].startswith(GOLDEN.name)
    assert [line for line in lines if line.endswith("begins")] == [f"{s} begins" for s in STEPS]
    assert len([line for line in lines if " took " in line]) == len(STEPS)


def test_what_it_found_is_near_the_truth(dataset: Path, tmp_path: Path) -> None:
    """Frames 605 to 660 of the clip, whose truth lies beside the project."""
    truth = Path(__file__).resolve().parents[3] / "shared" / "talker_clip"
    if not truth.is_dir():
        pytest.skip(f"needs the true data in {truth}")
    angles = [_turns(dataset, 0), _turns(truth, 605)]
    assert len(angles[0]) == len(angles[1])
    # Turns between frames do not depend on how the heads' own frames stand.
    far = [angle[20:] @ np.swapaxes(angle[:-20], 1, 2) for angle in angles]
    cosines = np.einsum("kij,kij->k", far[0], far[1])
    errors = np.degrees(np.arccos(np.clip((cosines - 1) / 2, -1, 1)))
    assert errors.mean() < 2.0
    masks = []
    for row in range(0, COUNT, 11):
        true = read_picture(truth / f"parsing/{605 + row}.png")[::2, ::2] == (0, 0, 255)
        head = read_picture(dataset / f"parsing/{row}.png") == (0, 0, 255)
        a, b = true.all(2), head.all(2)
        masks.append((a & b).sum() / (a | b).sum())
    assert min(masks) > 0.85
    closed = _eyes(dataset, 0)
    assert np.corrcoef(closed, _eyes(truth, 605))[0, 1] > 0.9


def _turns(folder: Path, first: int) -> np.ndarray:
    poses = {}
    for name in ("train", "val"):
        document = json.loads((folder / f"transforms_{name}.json").read_text())
        for frame in document["frames"]:
            matrix = np.linalg.inv(np.array(frame["transform_matrix"]))
            poses[frame["img_id"]] = matrix[:3, :3]
    return np.stack([poses[first + row] for row in range(COUNT)])


def _eyes(folder: Path, first: int) -> np.ndarray:
    lines = (folder / "au.csv").read_text().splitlines()
    column = [name.strip() for name in lines[0].split(",")].index("AU45_r")
    values = [float(line.split(",")[column]) for line in lines[1:]]
    return np.clip(values[first : first + COUNT], 0, 2) / 2


def digest(folder: Path) -> dict[str, bytes]:
    kept = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept if p.suffix != ".log"}


def test_a_second_run_does_nothing_and_changes_nothing(dataset: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*") if path.is_file()}
    prepare(GOLDEN, dataset, OPTIONS)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("step", ["frames", "masks"])
def test_a_stopped_run_goes_on_and_ends_the_same(dataset: Path, tmp_path: Path, step: str) -> None:
    folder = tmp_path / "stopped"
    seen: list[int] = []

    def progress(name: str, done: int, total: int) -> None:
        if name == step:
            seen.append(done)

    with pytest.raises(CancelledError, match="run it again"):
        prepare(
            GOLDEN,
            folder,
            OPTIONS,
            progress=progress,
            cancelled=lambda: bool(seen) and seen[-1] == 9,
        )
    part = "ori_imgs/3.jpg" if step == "frames" else "parsing/3.png"
    stamp = (folder / part).stat().st_mtime_ns
    prepare(GOLDEN, folder, OPTIONS)
    assert (folder / part).stat().st_mtime_ns == stamp  # kept, not made again
    assert digest(folder) == digest(dataset)


def test_another_offset_moves_the_sound_alone(dataset: Path) -> None:
    before, stamp = digest(dataset), (dataset / "parsing/3.png").stat()
    facts = prepare(GOLDEN, dataset, replace(OPTIONS, sound_offset=200.0))
    assert (facts["sound_offset_applied_ms"], facts["sound_belongs"]) == (200, None)
    old = np.frombuffer(before["aud.wav"][44:], "<i2").astype(float)
    new = np.frombuffer((dataset / "aud.wav").read_bytes()[44:], "<i2").astype(float)
    assert np.corrcoef(old[3200:], new[:-3200])[0, 1] > 0.999
    assert (dataset / "parsing/3.png").stat().st_mtime_ns == stamp.st_mtime_ns
    facts = prepare(GOLDEN, dataset, OPTIONS)
    assert facts["sound_offset_applied_ms"] == 0 and digest(dataset) == before


def test_a_lost_file_is_made_again(dataset: Path) -> None:
    before = digest(dataset)
    (dataset / "parsing/7.png").unlink()
    (dataset / "au.csv").write_text("")
    prepare(GOLDEN, dataset, OPTIONS)
    assert digest(dataset) == before


def test_another_video_does_not_touch_the_dataset(dataset: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(GOLDEN.read_bytes() + b"\0")
    before = digest(dataset)
    with pytest.raises(OutputError, match="another video"):
        prepare(other, dataset, OPTIONS)
    assert digest(dataset) == before


def test_masks_of_ones_own_are_taken_as_they_are(dataset: Path, tmp_path: Path) -> None:
    masks = dataset / "parsing"
    options = PrepareOptions(size=256, parsing=masks)
    prepare(GOLDEN, tmp_path / "own", options)
    for row in range(0, COUNT, 9):
        own = (tmp_path / "own" / f"parsing/{row}.png").read_bytes()
        assert own == (masks / f"{row}.png").read_bytes()
    with pytest.raises(ArgumentError, match="not a folder"):
        prepare(GOLDEN, tmp_path / "x", PrepareOptions(parsing=tmp_path / "none"))
    assert not (tmp_path / "x").exists()


@pytest.fixture
def frames() -> Iterator[list[np.ndarray]]:
    yield pictures()


def test_two_faces(tmp_path: Path, frames: list[np.ndarray]) -> None:
    both = [np.concatenate([frame, frame[:, ::-1]], 1) for frame in frames]
    path = write(tmp_path / "two.mp4", both, tone(2.24, 48000))
    with pytest.raises(VideoError, match=r"two faces .* --crop"):
        prepare(path, tmp_path / "out", OPTIONS)
    one = PrepareOptions(size=256, crop=(0, 0, 256))
    stop = []

    def progress(step: str, done: int, total: int) -> None:
        stop.append(step)

    with pytest.raises(CancelledError):
        prepare(path, tmp_path / "out", one, progress=progress, cancelled=lambda: "sound" in stop)


def test_no_face(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (128, 128, 3), np.uint8) for _ in range(56)]
    path = write(tmp_path / "noise.mp4", noise, tone(2.24, 48000))
    with pytest.raises(VideoError, match="a face in 0 of"):
        prepare(path, tmp_path / "out", OPTIONS)


def test_too_short(tmp_path: Path, frames: list[np.ndarray]) -> None:
    path = write(tmp_path / "short.mp4", frames[:30], tone(1.2, 48000))
    with pytest.raises(VideoError, match=r"1\.20 s .* 2 s at least"):
        prepare(path, tmp_path / "out", OPTIONS)


def test_a_wide_30_fps_video_with_48_khz_is_cut_to_the_face(
    tmp_path: Path, frames: list[np.ndarray]
) -> None:
    wide = [np.pad(frame, ((0, 64), (300, 84), (0, 0)), "edge") for frame in frames]
    path = write(tmp_path / "wide.mp4", wide, tone(56 / 30, 48000, 2), rate=30)
    with pytest.raises(VideoError, match=r"1\.8. s"):  # at 30 a second it is too short
        prepare(path, tmp_path / "out", OPTIONS)
    path = write(tmp_path / "wide2.mp4", wide + wide[::-1], tone(112 / 30, 48000, 2), rate=30)
    notes: list[str] = []
    stop: list[str] = []
    with pytest.raises(CancelledError):
        prepare(
            path,
            tmp_path / "out2",
            OPTIONS,
            note=notes.append,
            progress=lambda step, done, total: stop.append(step),
            cancelled=lambda: "landmarks" in stop,
        )
    assert any("30 pictures a second" in note for note in notes)
    state = json.loads((tmp_path / "out2" / "prepare.json").read_text())
    look = state["steps"]["look"]["facts"]
    x, y, side = look["crop"]
    assert 250 <= x <= 430 and x + side >= 470 and y + side <= 320 and side >= 140
    assert look["frames"] in (93, 94)
    assert len(list((tmp_path / "out2/ori_imgs").glob("*.jpg"))) == look["frames"]


def test_the_command_line_speaks_json_and_one_line_errors(
    dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", str(GOLDEN), str(dataset), "--size", "256", "--json"]) == 0
    lines = events_of(capfd.readouterr().out)
    assert lines[0]["event"] == "start" and lines[-1]["event"] == "done"
    assert lines[-1]["path"] == str(dataset) and lines[-1]["frames"] == COUNT
    steps = [line["step"] for line in lines if line["event"] == "progress"]
    assert list(dict.fromkeys(steps)) == list(STEPS)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    assert main(["prepare", str(broken), str(tmp_path / "out")]) == 2
    output = capfd.readouterr()
    assert output.err.startswith("error: ") and output.err.count("\n") == 1


def test_a_landmark_model_that_is_none(tmp_path: Path) -> None:
    model = tmp_path / "face_landmarker.task"
    with pytest.raises(ArgumentError, match=r"--landmark-model .* does not exist"):
        prepare(GOLDEN, tmp_path / "out", PrepareOptions(landmark_model=model))
    model.write_bytes(b"no model")
    with pytest.raises(ArgumentError, match=r"--landmark-model .* give MediaPipe's"):
        prepare(GOLDEN, tmp_path / "out", PrepareOptions(landmark_model=model))


def test_a_pose_that_cannot_be_fitted_ends_in_one_sentence(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.prepare import poses

    def singular(*values: object, threads: int) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    before = digest(dataset)
    monkeypatch.setattr(poses, "fit_head", singular)
    options = PrepareOptions(size=256, focal=900.0)
    with pytest.raises(VideoError, match="no head's pose fits"):
        prepare(GOLDEN, dataset, options)
    monkeypatch.undo()
    prepare(GOLDEN, dataset, OPTIONS)
    assert digest(dataset) == before
