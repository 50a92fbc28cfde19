"""Sound features of an import: their choice, their statistics, and errors."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.dataset.features import choose_features
from core.errors import ArgumentError, DatasetError, FeatureMismatchError
from tests.support.avatar_inputs import make_mel_stats


def test_auto_takes_log_mel_where_the_dataset_has_its_statistics(tmp_path: Path) -> None:
    assert choose_features("auto", 29, tmp_path).kind == "deepspeech"
    make_mel_stats(tmp_path / "mel.npz")
    spec = choose_features("auto", 29, tmp_path)
    assert (spec.kind, spec.dim, spec.normalisation) == ("log-mel", 29, "fixed")
    assert spec.mean == tuple(range(29)) and spec.std == (1.0,) * 29
    assert spec.parameters == {
        "sample_rate": 16000,
        "n_fft": 512,
        "win_length": 400,
        "hop_length": 320,
        "n_mels": 29,
        "fmin": 50,  # from the file
        "fmax": 7600,
        "log_epsilon": 1e-5,
    }
    assert choose_features("hubert", 29, tmp_path).normalisation == "none"


def test_log_mel_without_statistics_is_normalised_by_the_clip(tmp_path: Path) -> None:
    spec = choose_features("log-mel", 40, tmp_path)
    assert (spec.normalisation, spec.parameters["n_mels"], spec.mean) == ("clip", 40, ())


def test_features_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    stats = make_mel_stats(tmp_path / "s.npz")
    with pytest.raises(FeatureMismatchError, match="29 mel bands, the network takes 44"):
        choose_features("auto", 44, None, stats)
    with pytest.raises(ArgumentError, match="belong to log-mel, not to hubert"):
        choose_features("hubert", 29, None, stats)
    with pytest.raises(ArgumentError, match="unknown; choose auto"):
        choose_features("mfcc", 29)


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def hostile_npz() -> bytes:
    """A header that promises 8 TB."""
    head = io.BytesIO()
    description = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(head, description)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mean.npy", head.getvalue())
    return stream.getvalue()


ONES = np.ones(29)
STATS: dict[str, tuple[bytes, str]] = {
    "text": (b"hello", "not a valid .npz"),
    "cut": (npz(mean=ONES, std=ONES)[:-40], "not a valid .npz"),
    "objects": (npz(mean=np.array([{}] * 29), std=ONES), "not a valid .npz"),
    "huge promise": (hostile_npz(), "not a valid .npz"),
    "large": (npz(mean=np.zeros(2**20), std=ONES), "not a valid .npz"),
    "no std": (npz(mean=ONES), "no array 'std'"),
    "zero": (npz(mean=ONES, std=0 * ONES), "std above 0"),
    "NaN": (npz(mean=ONES * np.nan, std=ONES), "must be finite"),
    "two rates": (npz(mean=ONES, std=ONES, sr=[1, 2]), "must be finite"),
}


@pytest.mark.parametrize("name", STATS)
def test_broken_statistics_are_named(tmp_path: Path, name: str) -> None:
    content, message = STATS[name]
    path = tmp_path / "s.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        choose_features("log-mel", 29, None, path)
