"""Sound mixed down by a second Blender, so that this one does not wait: retimed strips, files that
nothing else decodes, and the voice of a film.

Of a strip, a copy of its scene, with nothing in it but its sound, is written to a .blend file here
(copies.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from ...core.bake.plan import FIRST_FRAME
from ...core.errors import AudioError
from ...core.records.voice import Waveform
from ...core.system.leftovers import temporary_folder
from ...core.system.names import full_path
from ...core.system.steps import finished
from ..jobs.command import to_log
from ..jobs.second import run_second
from .copies import alone, write_scene
from .mixdown import MIX_FPS, MIX_RATE, check_mixed, loaded, loud, range_of, undecoded
from .windows import StripWindow, is_mono

MIXER = Path(__file__).with_name("mixer.py")


@dataclass(frozen=True)
class Voice:
    """What is to be mixed. source: a .blend file that holds the scene of that name; where that is
    empty, a sound file, which begins at FIRST_FRAME. first, last: frames; last is None for
    the whole of a file. name: for messages. fps, fps_base: as in a scene."""

    source: Path
    scene: str
    first: int
    last: int | None
    name: str
    fps: int
    fps_base: float


def mixing_elsewhere(window: StripWindow) -> Callable[[], Waveform]:
    """The sound of a retimed strip between its handles. The result may be called once, on any
    thread, and waits for the second Blender. Errors of mix_steps; here OutputError."""
    folder = temporary_folder()
    blend, first, last = Path(folder.name) / "strip.blend", *range_of(window)
    with alone(window) as scene:
        mono, rate = is_mono(scene, window.name), (scene.render.fps, scene.render.fps_base)
        voice = Voice(blend, scene.name, first, last, window.name, *rate)
        write_scene(scene, blend)

    def decode() -> Waveform:
        with folder:
            path = Path(folder.name) / "mixed.wav"
            finished(mix_steps(voice, path))
            return loud(loaded(path), mono)

    return decode


def mixed_file(path: Path) -> Waveform:
    """The samples of a sound file. For any thread; waits for the second Blender. Errors of
    mix_steps."""
    voice = Voice(path, "", FIRST_FRAME, None, path.name, MIX_FPS, 1.0)
    with temporary_folder() as folder:
        mixed = Path(folder) / "mixed.wav"
        mono = finished(mix_steps(voice, mixed))
        return loud(loaded(mixed), mono)


def mix_steps(voice: Voice, path: Path) -> Generator[None, None, bool]:
    """Write the voice to a WAV file in a temporary folder, 16 bit, stereo, that begins with its
    first frame. Yields while it is mixed; closing the generator stops that. Returns whether it was
    a file of one channel. AudioError, EngineError."""
    last, mono = voice.last, False

    def on_line(line: bytes) -> bool:
        nonlocal last, mono
        words = line.split()
        if len(words) != 3 or words[0] != b"whole":
            return to_log(line)
        last, mono = int(words[1]), words[2] == b"1"
        return True

    job = {
        **asdict(voice),
        "source": full_path(str(voice.source.absolute())),
        "begin": FIRST_FRAME,
        "rate": MIX_RATE,
        "output": str(path),
    }
    with closing(run_second(MIXER, job, path.parent, on_line)) as steps:
        fault = yield from steps
    if fault or last is None:
        raise AudioError(undecoded(voice.name, fault))
    seconds = (last - voice.first + 1) * voice.fps_base / voice.fps
    check_mixed(path, seconds, voice.name)
    return mono
