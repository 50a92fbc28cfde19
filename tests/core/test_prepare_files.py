"""The files of a preparation, and its record of finished steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from core.errors import ArgumentError, DatasetError, MissingPackageError, OutputError, VideoError
from core.formats.torch_file import load_torch, mean_points
from core.formats.torch_writer import torch_bytes
from core.prepare import pictures
from core.prepare.options import PrepareOptions
from core.prepare.state import State, digest_of, digest_of_file


def test_torch_reads_what_is_written_without_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    arrays = {
        "euler": random.normal(size=(7, 3)),
        "focal": np.array([1200.0]),
        "vertices": random.normal(size=(1, 50, 3)).astype(np.float32),
    }
    path = tmp_path / "track_params.pt"
    path.write_bytes(torch_bytes(arrays))
    plain = torch.load(path, weights_only=True)
    assert list(plain) == list(arrays)
    for name, array in arrays.items():
        assert_array_equal(plain[name].numpy(), array.astype(np.float32))
    content = load_torch(path, DatasetError, 2**30)  # mapped, as training reads it
    points = mean_points(content, "vertices")
    assert points is not None and points.shape == (50, 3)
    assert torch_bytes(arrays) == path.read_bytes()


def test_a_step_is_done_only_under_its_own_key(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    state = State(folder, "digest", "clip.mp4")
    state.begin("frames", "a")
    assert not state.is_done("frames", "a") and state.is_begun("frames", "a")
    state.finish("frames", "a", {"frames": 3})
    again = State(folder, "digest", "clip.mp4")
    assert again.is_done("frames", "a") and again.facts("frames") == {"frames": 3}
    assert not again.is_done("frames", "b") and not again.is_begun("frames", "b")
    assert digest_of("frames", (1, None)) != digest_of("frames", (2, None))


def test_another_video_or_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    State(tmp_path / "a", "one", "one.mp4").begin("look", "k")
    with pytest.raises(OutputError, match=r"another video \(one.mp4\)"):
        State(tmp_path / "a", "two", "two.mp4")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="did not make"):
        State(tmp_path / "b", "one", "one.mp4")
    assert (tmp_path / "b" / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"version": 1}', '{"version": 1, "steps": [2]}'])
def test_a_damaged_state_ends_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "prepare.json").write_text(text)
    with pytest.raises(OutputError, match=r"prepare\.json"):
        State(tmp_path, "one", "one.mp4")


def test_a_state_of_another_version_is_left_alone(tmp_path: Path) -> None:
    document = {"version": 99, "sha256": "one", "steps": {}}
    (tmp_path / "prepare.json").write_text(json.dumps(document))
    with pytest.raises(OutputError, match="another version"):
        State(tmp_path, "one", "one.mp4")
    assert json.loads((tmp_path / "prepare.json").read_text()) == document


def test_a_video_that_is_missing_or_empty(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="does not exist"):
        digest_of_file(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match="empty"):
        digest_of_file(tmp_path / "empty.mp4")
    with pytest.raises(VideoError, match="folder"):
        digest_of_file(tmp_path)


def test_a_full_disk_leaves_no_half_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pictures.write_picture(tmp_path / "0.png", pixels)

    def full(self: Path, data: object) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device; finished files are kept"):
        pictures.write_picture(tmp_path / "1.png", pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["0.png"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 100},
        {"size": 511},
        {"start": -1.0},
        {"start": float("nan")},
        {"seconds": 1.0},
        {"crop": (0, -1, 300)},
        {"crop": (0, 0, 10)},
        {"focal": 10.0},
    ],
)
def test_impossible_options_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ArgumentError, match=f"--{next(iter(wrong))}"):
        PrepareOptions(**wrong)  # type: ignore[arg-type]


def test_missing_packages_are_all_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.prepare import packages
    from core.prepare.pipeline import prepare

    monkeypatch.setattr(packages, "find_spec", lambda name: name in ("PIL", "scipy"))
    (tmp_path / "clip.mp4").write_bytes(b"video")
    with pytest.raises(MissingPackageError, match=r"needs av, mediapipe: pip install"):
        prepare(tmp_path / "clip.mp4", tmp_path / "out", PrepareOptions())
    assert not (tmp_path / "out").exists()
