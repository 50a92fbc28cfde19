"""Render farms: path mapping, frame ranges, checks, forms of the output, job bundles."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

from core.commands.console import Console
from core.commands.farm_options import console_for
from core.commands.farm_output import FlamencoConsole, OpenJdConsole
from core.errors import ArgumentError, AudioError, OutputError
from core.farm import check
from core.farm.check import Check, check_output, check_space, exit_code, failure
from core.farm.frames import frames_text
from core.farm.mapping import Rule, mapped, read_rules
from core.records.timeline import parse_frames
from core.system.machine import THREADS, available_cores, limited_threads
from tests.support.farm import SAVED, STEP
from tests.support.waiting import Clock

# Paths of another machine ------------------------------------------------------------------------


def rules_of(folder: Path, *rules: tuple[str, str, str]) -> Path:
    names = ("source_path_format", "source_path", "destination_path")
    document = {
        "version": "pathmapping-1.0",
        "path_mapping_rules": [dict(zip(names, rule, strict=True)) for rule in rules],
    }
    path = folder / "rules.json"
    path.write_text(json.dumps(document))
    return path


def test_paths_are_mapped_by_the_longest_source(tmp_path: Path) -> None:
    rules = read_rules(
        rules_of(
            tmp_path,
            ("POSIX", "/show", "/mnt/a"),
            ("POSIX", "/show/Köpfe №1", "/mnt/b"),
            ("WINDOWS", "Z:\\Show", "/mnt/z"),
            ("WINDOWS", "\\\\server\\share", "/mnt/unc"),
        )
    )
    for source, here in {
        "/show/x/head.egs": "/mnt/a/x/head.egs",
        "/show/Köpfe №1/100% {fertig}.egs": "/mnt/b/100% {fertig}.egs",
        "/showreel/head.egs": "/showreel/head.egs",
        "z:/SHOW\\sub/head.egs": "/mnt/z/sub/head.egs",
        "//server/share/voice.wav": "/mnt/unc/voice.wav",
        "\\\\SERVER\\share\\voice.wav": "/mnt/unc/voice.wav",
        "/elsewhere/a.wav": "/elsewhere/a.wav",
    }.items():
        assert Path(mapped(source, rules)) == Path(here)
    assert read_rules(rules_of(tmp_path)) == ()
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    assert read_rules(empty) == ()


def test_a_path_keeps_the_share_of_a_network_that_it_is_mapped_to() -> None:
    """Also with letters of any language; with one blank less it would be another file."""
    share, local = PureWindowsPath(r"\\Büro\頭 №1"), PurePosixPath("/mnt/頭")
    inside = r"\\BÜRO\頭 №1\Ünï {x}\100% #1.egs"
    for source, destination, kind, path, here in (
        (share, "/mnt/b", PurePosixPath, inside, "/mnt/b/Ünï {x}/100% #1.egs"),
        (share, r"\\nas\x", PureWindowsPath, inside, r"\\nas\x\Ünï {x}\100% #1.egs"),
        (share, "//nas/x", PureWindowsPath, inside, r"\\nas\x\Ünï {x}\100% #1.egs"),
        (local, r"\\nas\x", PureWindowsPath, "/mnt/頭/a b.wav", r"\\nas\x\a b.wav"),
        (share, "/mnt/b", PurePosixPath, r"\\Büro\頭 №1", "/mnt/b"),
        (share, "/mnt/b", PurePosixPath, r"\\Büro\頭 №12\a.egs", None),
        (share, "/mnt/b", PurePosixPath, r"\Büro\頭 №1\a.egs", None),
        (PureWindowsPath("Z:/x"), "/mnt/b", PurePosixPath, r"\\Z\x\a.egs", None),
    ):
        assert Rule(source, destination).apply(path, kind) == here


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", '{"path_mapping_rules": 1}', '{"path_mapping_rules": [{}]}', "[" * 100_000,
     '{"path_mapping_rules": [{"source_path_format": "MAC", "source_path": "a",'
     ' "destination_path": "b"}]}'],
)  # fmt: skip
def test_wrong_rules_are_one_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.json").write_text(text)
    with pytest.raises(ArgumentError, match=r"rules\.json holds no path mapping rules"):
        read_rules(tmp_path / "rules.json")


# Frame ranges ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "text"),
    [((5,), "5"), (range(1, 101), "1-100"), ((1, 2, 3, 20), "1-3,20"), ((3, 1), "1,3"),
     (range(1, 100, 2), "1-99:2"), (range(0, 31, 10), "0-30:10"), ((1, 3, 5, 6), "1,3,5-6")],
)  # fmt: skip
def test_frames_are_written_as_they_are_read(frames: Any, text: str) -> None:
    assert frames_text(tuple(frames)) == text
    assert parse_frames(text) == tuple(sorted(frames))


def test_steps_of_a_range() -> None:
    assert parse_frames("1-9:4, 20, 3-5") == (1, 5, 9, 20, 3, 4)
    assert parse_frames("1-9x2") == (1, 3, 5, 7, 9)
    with pytest.raises(ArgumentError, match="step 0"):
        parse_frames("1-9:0")
    with pytest.raises(ArgumentError, match="not a range"):
        parse_frames("5:2")


# Checks ------------------------------------------------------------------------------------------


def test_the_output_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = tmp_path / "new" / "frames"
    for folder in (tmp_path, new):
        assert check_output(folder).code == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert "not writable" in check_output(tmp_path / "file" / "frames").text

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    found = check_output(new)
    assert found.code == 1 and "Read-only" in found.text and str(tmp_path) in found.text


def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {"bytes": 0}

    class Usage:
        @property
        def free(self) -> int:
            return free["bytes"]

    monkeypatch.setattr(check.shutil, "disk_usage", lambda _: Usage())
    states = {}
    for free["bytes"] in (15, 16, 159, 160):
        found = check_space(tmp_path, 10, (2, 2), "png")
        states[free["bytes"]] = (found.state, found.code)
    assert states == {15: ("failed", 1), 16: ("warning", 0), 159: ("warning", 0), 160: ("ok", 0)}


def test_wrong_input_decides_the_exit_code() -> None:
    ok, output, sound = (
        Check("a", "b"),
        failure("o", OutputError("x")),
        failure("s", AudioError("y")),
    )
    codes = [exit_code(found) for found in ([ok], [ok, output], [output, sound], [sound, output])]
    assert codes == [0, 1, 2, 2]
    assert sound.line.split() == ["failed", "s", "y"]


# Forms of the output -----------------------------------------------------------------------------


def test_open_job_description_reads_progress_and_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = OpenJdConsole()
    console.start("bake", "8 frames by builtin")
    console.progress("frames", 1, 8, frame=3)
    console.note("computing sound features 10 %")
    console.progress("frames", 8, 8, frame=10)
    console.failed("two\nlines", 2)
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines == [
        "openjd_status: 8 frames by builtin",
        "openjd_progress: 12.5",
        "openjd_progress: 100.0",
        "openjd_fail: two lines",
    ]


def test_flamenco_sees_each_picture_and_one_step_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    console = FlamencoConsole(clock)
    console.start("bake", "2 frames")
    clock.advance(61.25)
    console.progress("frames", 1, 2, frame=1, path=Path("/o/it's 1.png"))
    clock.advance(0.5)
    console.progress("frames", 2, 2, frame=2, path=Path("/o/2.png"))
    console.progress("encoding", 1, 2)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Saved: '/o/it's 1.png'", "Time: 01:01.25", "Saved: '/o/2.png'",
                     "Time: 00:00.50"]  # fmt: skip
    saved = [match[1] for line in lines if (match := SAVED.match(line))]
    assert saved == ["/o/it's 1.png", "/o/2.png"]
    assert len([line for line in lines if STEP.match(line)]) == 2


def test_flamenco_counts_frames_that_were_finished_before(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = FlamencoConsole(Clock())
    console.start("bake", "5 frames")
    console.progress("frames", 3, 5, frame=3, path=Path("/o/3.png"))
    console.done("5 frames in /o", frames=5, seconds=1.0)
    lines = capsys.readouterr().out.splitlines()
    steps = [bool(STEP.match(line)) for line in lines]
    assert steps == [True, True, False, True, True, True, False]


def test_the_options_choose_the_form() -> None:
    def form(*words: str) -> tuple[type, bool]:
        console = console_for(words)
        return type(console), console._as_json

    assert form("--avatar", "a", "--progress", "openjd") == (OpenJdConsole, False)
    assert form("--progress=flamenco", "--check") == (FlamencoConsole, False)
    assert form("--progress", "json") == form("--json") == (Console, True)
    assert form() == form("--progress") == form("--progress", "abacus") == (Console, False)


def test_threads_are_limited_here_and_in_what_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert available_cores() == 8
    with limited_threads(3):
        assert available_cores() == 3 and os.environ["OMP_NUM_THREADS"] == "3"
        with limited_threads(None):
            assert available_cores() == 3
    assert available_cores() == 8 and THREADS not in os.environ
    for text, cores in (("0", 1), ("64", 8), ("many", 8), ("", 8)):
        monkeypatch.setenv(THREADS, text)
        assert available_cores() == cores
