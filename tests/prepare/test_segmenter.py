"""Masks by a segmentation network that the user names: tiny ones that the tests make."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mediapipe", reason="needs mediapipe: make prepare")

from core.cli import main
from core.errors import ArgumentError, MissingPackageError
from core.prepare.mask_regions import HEAD, NECK, TORSO
from core.prepare.options import PrepareOptions
from core.prepare.segmentation.classes import split_by_classes
from core.prepare.segmentation.network import check_network, load_network

from ..support.drawn_person import BLUE, BROWN, SKIN, WALL, Drawn, draw
from ..support.tflite_models import write_segmenter
from ..support.videos import GOLDEN

COLOURS = {"background": WALL, "head": BROWN, "skin": SKIN, "torso": BLUE}


def weights_of(*colours: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases whose largest score belongs to the nearest colour."""
    points = np.array(colours, np.float32) / 255
    return 80 * points, -40 * (points**2).sum(1)


def network_file(path: Path, *kinds: str) -> Path:
    """A network that knows these kinds by the drawn person's colours, and its classes beside it."""
    write_segmenter(path, *weights_of(*(COLOURS[kind] for kind in kinds)))
    path.with_name(path.name + ".json").write_text(json.dumps({"classes": kinds}))
    return path


def test_a_network_tells_head_neck_and_torso_apart(tmp_path: Path) -> None:
    network = load_network(network_file(tmp_path / "own.tflite", *COLOURS))
    assert network.has_parts
    pixels, truth, face = draw(Drawn(locks=(True, False)))
    found = split_by_classes(pixels, truth > 0, face, network.find(pixels))
    for region in (HEAD, NECK, TORSO):
        a, b = found == region, truth == region
        assert (a & b).sum() / (a | b).sum() > 0.9, region


def test_the_six_classes_of_mediapipes_own_need_no_names(tmp_path: Path) -> None:
    accessory = (250, 220, 0)
    colours = (WALL, BROWN, (180, 130, 110), SKIN, BLUE, accessory)
    network = load_network(write_segmenter(tmp_path / "six.tflite", *weights_of(*colours)))
    pixels, truth, face = draw(Drawn())
    pixels[30:36, 110:150] = accessory  # a hair slide
    pixels[truth == NECK] = (180, 130, 110)
    pixels[220:230, 110:150] = accessory  # a brooch
    found = split_by_classes(pixels, truth > 0, face, network.find(pixels))
    assert (found[32:34, 112:148] == HEAD).all() and (found[222:228, 112:148] == TORSO).all()
    assert (found[truth == NECK] == NECK).mean() > 0.9


@pytest.mark.parametrize("kinds", [("person",), ("background", "person")])
def test_a_network_may_know_the_outline_alone(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    path = tmp_path / "outline.tflite"
    write_segmenter(path, *weights_of(*((WALL, SKIN)[-len(kinds) :])))
    network = load_network(path)
    assert network.classes == kinds and not network.has_parts


def test_classes_without_names_and_names_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_segmenter(tmp_path / "four.tflite", *weights_of(*COLOURS.values()))
    with pytest.raises(ArgumentError, match=r"four\.tflite has 4 classes, .*json names none"):
        load_network(path)
    beside = tmp_path / "four.tflite.json"
    for text in ('{"classes": ["background", "hat"]}', "[1]", "{", '{"classes": []}'):
        beside.write_text(text)
        with pytest.raises(ArgumentError, match="a word for each output"):
            load_network(path)
    beside.write_text('{"classes": ["background", "head"]}')
    with pytest.raises(ArgumentError, match=r"has 4 classes, .* names 2"):
        load_network(path)


def test_a_broken_file_ends_in_one_sentence(tmp_path: Path) -> None:
    whole = write_segmenter(tmp_path / "whole.tflite", *weights_of(WALL, SKIN)).read_bytes()
    broken = tmp_path / "broken.tflite"
    for data in (b"", b"no network", whole[:200], whole[: len(whole) // 2]):
        broken.write_bytes(data)
        with pytest.raises(ArgumentError, match=r"broken\.tflite .* give MediaPipe's") as caught:
            load_network(broken)
        assert "\n" not in str(caught.value)
    with pytest.raises(ArgumentError, match=r"is no \.tflite or \.onnx file"):
        check_network(tmp_path / "none.tflite")
    with pytest.raises(ArgumentError, match=r"is no \.tflite or \.onnx file"):
        check_network(GOLDEN)


def test_a_network_with_a_huge_tensor_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    path = write_segmenter(tmp_path / "huge.tflite", *weights_of(WALL, SKIN), side=30000)
    with pytest.raises(ArgumentError, match="one of its tensors has 2700000000 values"):
        load_network(path)


def test_an_onnx_needs_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match="pip install onnxruntime"):
        load_network(path)


class Session:
    """What `network.py` uses of onnxruntime's session: nearest colours as scores."""

    inputs: tuple[Any, ...] = (1, 3, "height", "width")
    outputs: tuple[Any, ...] = (1, 4, "height", "width")

    def __init__(self, path: str, providers: list[str]) -> None:
        if Path(path).read_bytes() == b"broken":
            raise RuntimeError("Protobuf parsing failed\nmore")

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="picture", shape=list(self.inputs))]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="scores", shape=list(self.outputs))]

    def run(self, names: None, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        picture = (values["picture"] + 1) / 2  # its range is -1 to 1
        weights, bias = weights_of(*COLOURS.values())
        if self.inputs[1] == 3:
            return [np.einsum("kc,nchw->nkhw", weights, picture) + bias[:, None, None]]
        return [picture @ weights.T + bias]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> type[Session]:
    """A module in place of onnxruntime, which no environment of the project contains."""

    class Own(Session):
        pass

    module = ModuleType("onnxruntime")
    module.InferenceSession = Own  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    return Own


@pytest.mark.parametrize("inputs", [(1, 3, "height", "width"), (1, 3, 96, 80), (1, 96, 80, 3)])
def test_an_onnx_is_run_in_its_own_layout_size_and_range(
    tmp_path: Path, session: type[Session], inputs: tuple[Any, ...]
) -> None:
    session.inputs = inputs
    path = tmp_path / "own.onnx"
    path.write_bytes(b"a network")
    (tmp_path / "own.onnx.json").write_text(
        json.dumps({"classes": list(COLOURS), "range": [-1, 1]})
    )
    pixels, truth, face = draw(Drawn())
    found = split_by_classes(pixels, truth > 0, face, load_network(path).find(pixels))
    assert (found == truth).mean() > 0.97


def test_an_onnx_that_is_broken_or_too_large_ends_in_one_sentence(
    tmp_path: Path, session: type[Session]
) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(b"broken")
    with pytest.raises(ArgumentError, match=r"own\.onnx .*\(Protobuf parsing failed\)"):
        load_network(path)
    path.write_bytes(b"a network")
    session.outputs = (1, 2000, 2048, 2048)
    with pytest.raises(ArgumentError, match="its output"):
        load_network(path)
    session.inputs = (1, 3, 9000, 9000)
    with pytest.raises(ArgumentError, match="is larger than 2048 pixels"):
        load_network(path)


def test_masks_come_from_one_source() -> None:
    with pytest.raises(ArgumentError, match="give one"):
        PrepareOptions(parsing=Path("masks"), segmenter=Path("network.tflite"))


def test_the_command_line_names_a_missing_network(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["prepare", str(GOLDEN), str(tmp_path / "out"), "--segmenter", "none.tflite"]
    assert main(command) == 2
    assert "--segmenter none.tflite is no" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
