"""The sound of a film of any kind begins when its pictures do, within 20 ms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.prepare.video.container import film_of
from core.prepare.video.sound import sound
from tests.support.sound_cases import check
from tests.support.sound_cases import sound as the_sound
from tests.support.videos import write

KINDS = [
    ("mp4", "aac"), ("mov", "aac"), ("ts", "aac"), ("mkv", "aac"), ("mp4", "libmp3lame"),
    ("avi", "libmp3lame"), ("mkv", "libopus"), ("webm", "libopus"), ("mkv", "libvorbis"),
    ("mp4", "libopus"), ("mkv", "libmp3lame"), ("ts", "libmp3lame"), ("mkv", "flac"),
    ("avi", "pcm_s16le"), ("mov", "pcm_s16le"),
]  # fmt: skip
RATE = 48000


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_a_film_is_the_same_sound(tmp_path: Path, container: str, codec: str) -> None:
    pictures = [np.full((48, 64, 3), 4 * row, np.uint8) for row in range(50)]
    path = write(
        tmp_path / f"film.{container}",
        pictures,
        the_sound(RATE).astype(np.float32)[None],
        codec="libvpx" if container == "webm" else "mpeg4",
        sound_codec=codec,
        sound_rate=RATE,
    )
    check(sound(film_of(path), 0, 50).voice.samples)
