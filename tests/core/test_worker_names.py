"""The worker process on any code page, with any name of avatar, features, folder and log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.engine.builtin import BuiltinEngine
from core.engine.worker import WorkerEngine
from core.errors import AvatarFileError
from core.records.job import BakeJob
from tests.core.test_console_names import NAMES
from tests.support.talking import files, job_for, small_avatar, sound


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerEngine]:
    """One worker for all names, on a code page that has none of them."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("LANG", "C")
    log = tmp_path / NAMES["ascii"] / "worker.log"
    opened = WorkerEngine(Path(sys.executable), log, backend="numpy", back_off=0.01)
    yield opened
    opened.close()


def test_a_bake_with_any_name(engine: WorkerEngine, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    avatar = small_avatar(tmp_path / "a.egs")
    np.save(tmp_path / "a.npy", sound().windows)
    job = job_for(tmp_path / "a.egs", avatar, plain, 1, voice=tmp_path / "a.npy", stem="x")
    list(BuiltinEngine("numpy").bake(job))
    expected = list(files(plain).values())
    for name in NAMES.values():
        folder = tmp_path / f"{name} d"
        folder.mkdir()
        named: BakeJob = replace(
            job,
            avatar_path=folder / f"{name}.egs",
            voice=folder / f"{name}.npy",
            directory=folder / name,
            stem=name,
        )
        named.avatar_path.write_bytes((tmp_path / "a.egs").read_bytes())
        np.save(folder / f"{name}.npy", sound().windows)
        list(engine.bake(named))
        assert list(files(named.directory)) == [f"{name}0001.png"]
        assert list(files(named.directory).values()) == expected
        missing = replace(named, avatar_path=folder / f"{name}2.egs", avatar_hash="0")
        with pytest.raises(AvatarFileError, match="does not exist") as caught:
            list(engine.bake(missing))
        assert " ".join(name.split()) in str(caught.value)  # one line
