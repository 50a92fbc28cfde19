"""Two Blenders with one cache of frames on disk, one of them killed: the other goes on, and both
show and bake what one alone does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

from tests.support.blender import ROOT, make_avatar, voice, write_wav
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(
    bpy.app.version[:2] != (5, 3), reason="once is enough: the cache knows no Blender"
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    make_avatar(folder / "head.egs", 700)
    write_wav(folder / "voice.wav", voice(1.7))
    return folder


class Run:
    """A Blender in a folder of its own. Started again, it keeps the folder."""

    def __init__(self, place: Path, inputs: Path, cache: Path, seed: int) -> None:
        self.place, self._cache, self._seed = place, cache, seed
        self.temporary = place / "temporary"
        self.temporary.mkdir(parents=True)
        for path in inputs.iterdir():
            (place / path.name).write_bytes(path.read_bytes())
        self.start()

    def start(self) -> None:
        words = ("-m", "tests.support.blender_sharing", self.place, self._cache, self._seed)
        with (self.place / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, words)],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ended(self) -> dict[str, object]:
        """Its results: what it showed, and the bytes of its pictures."""
        code, log = self.process.wait(), (self.place / "log").read_text(errors="replace")
        assert code == 0 and "Traceback" not in log, log[-3000:]
        pictures = {path.name: path.read_bytes() for path in (self.place / "out").iterdir()}
        return {**json.loads((self.place / "shown.json").read_text()), **pictures}


def test_a_killed_blender_harms_no_other(tmp_path: Path, inputs: Path) -> None:
    cache = tmp_path / "frames"
    first, second = (Run(tmp_path / str(n), inputs, cache, n) for n in (1, 2))
    try:
        until(lambda: len([*cache.glob("*.npy")]) > 5 or first.process.poll() is not None)
        first.process.kill()
        assert first.process.wait() == -9
        found = second.ended()
        first.start()
        assert first.ended() == found
        alone = Run(tmp_path / "alone", inputs, tmp_path / "other", 3)
        assert alone.ended() == found and len(found) > 2 * 40 - 1
    finally:
        for run in (first, second):
            run.process.kill()
            run.process.wait()
    assert not [*cache.glob(".*")] and not [*tmp_path.rglob("*.part")]
    assert sum(path.stat().st_size for path in cache.iterdir()) < 2_000_000
    for run in (first, second, alone):
        assert not [path for path in run.temporary.iterdir() if path.name.startswith("egstalker-")]
