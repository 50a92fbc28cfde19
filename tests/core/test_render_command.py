"""`python -m core render` as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.cli import main
from tests.support.events import events_of
from tests.support.processes import interruptible
from tests.support.talking import ROWS, files, small_avatar, sound
from tests.support.waiting import LIMIT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """An avatar, its sound as features, and the frames that the built-in engine makes of them."""
    folder = tmp_path_factory.mktemp("given")
    small_avatar(folder / "small.egs")
    np.save(folder / "sound.npy", sound().windows)
    (folder / "noise.wav").write_bytes(b"no sound at all")
    (folder / "broken.egs").write_bytes(b"\xff" * 100)
    return folder


def options(given, out, *more, engine="builtin"):
    fixed = ["--audio", str(given / "sound.npy"), "--out", str(out), "--backend", "numpy"]
    return ["render", str(given / "small.egs"), *fixed, "--engine", engine, *more]


def run(arguments):
    return subprocess.run(
        [sys.executable, "-m", "core", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_the_whole_sound_by_default_and_progress_as_json_lines(given, tmp_path, capsys):
    assert main(options(given, tmp_path / "out", "--json")) == 0
    first, *lines, last = events_of(capsys.readouterr().out)
    assert first["event"] == "start" and first["total"] == ROWS
    names = [f"frame_{n:04d}.png" for n in range(1, ROWS + 1)]
    assert list(files(tmp_path / "out")) == names
    assert lines == [
        {
            "event": "progress",
            "what": "frames",
            "done": n,
            "total": ROWS,
            "frame": n,
            "path": str(tmp_path / "out" / name),
        }
        for n, name in enumerate(names, start=1)
    ]
    assert last["result"]["written"] == last["result"]["total"] == ROWS
    assert last["result"]["engine"] == "builtin: numpy on CPU"
    assert last["event"] == "done" and last["path"] == str(tmp_path / "out")


def test_the_worker_writes_the_same_frames(given, tmp_path, capsys):
    for engine in ("builtin", "worker"):
        assert main(options(given, tmp_path / engine, "--frames", "3-5,9", engine=engine)) == 0
        assert f"{engine}: numpy on CPU" in capsys.readouterr().out
    assert files(tmp_path / "builtin") == files(tmp_path / "worker")
    assert len(files(tmp_path / "worker")) == 4


def test_size_format_and_transparency_are_obeyed(given, tmp_path):
    more = ("--frames", "1", "--size", "20x10", "--format", "exr", "--transparent")
    assert main(options(given, tmp_path, *more)) == 0
    assert list(files(tmp_path)) == ["frame_0001.exr"]
    assert main(options(given, tmp_path, *more[:4])) == 0
    png = (tmp_path / "frame_0001.png").read_bytes()
    assert png[16:24] == (20).to_bytes(4, "big") + (10).to_bytes(4, "big")


def test_bad_input_is_one_line_and_exit_code_2(given, tmp_path, capsys):
    out = tmp_path / "out"
    wrong = {
        "camera": options(given, out, "--camera", "scene"),
        "frames": options(given, out, "--frames", "9-1"),
        "size": options(given, out, "--size", "0x0"),
        "fps": options(given, out, "--fps", "0"),
        "fps nan": options(given, out, "--fps", "nan"),
        "offset": options(given, out, "--audio-offset", "inf"),
        "no avatar": ["render", str(given / "none.egs"), "--out", str(out)],
        "broken avatar": ["render", str(given / "broken.egs"), "--out", str(out)],
        "no sound": ["render", str(given / "small.egs"), "--out", str(out)],
        "not its sound": options(given, out, "--audio", str(given / "noise.wav")),
    }
    for name, arguments in wrong.items():
        assert main(arguments) == 2, name
        told = capsys.readouterr()
        assert told.out == "", name
        assert told.err.startswith("error: ") and told.err.count("\n") == 1, name
    assert not out.exists()


@pytest.mark.parametrize("arguments", [["render"], ["render", "a.egs", "--fps", "x"], ["dance"]])
def test_a_wrong_command_line_is_one_line_and_exit_code_2(arguments):
    done = run(arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_an_unwritable_folder_is_a_failure(given, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = run(options(given, tmp_path / "file" / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("engine", ["builtin", "worker"])
def test_ctrl_c_keeps_whole_frames(given, tmp_path, engine):
    arguments = options(given, tmp_path, "--frames", "1-9000", "--json", engine=engine)
    with interruptible():
        client = subprocess.Popen(
            [sys.executable, "-m", "core", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    with client:
        out = b"".join(client.stdout.readline() for _ in range(2))
        os.killpg(client.pid, signal.SIGINT)  # a terminal sends it to worker and client alike
        rest, errors = client.communicate(timeout=LIMIT)
    assert client.returncode == 130 and errors == b"stopped\n"
    last = events_of((out + rest).decode())[-1]
    assert last == {"event": "failed", "message": "stopped", "code": 130}
    kept = files(tmp_path)
    assert kept and all(name.endswith(".png") for name in kept)
    assert all(data.endswith(b"IEND\xaeB`\x82") for data in kept.values())


def test_a_reader_that_stops_early_ends_the_command(given, tmp_path):
    """As `| head -1` does; finished frames stay."""
    arguments = options(given, tmp_path, "--frames", "1-9000", "--json")
    with subprocess.Popen(
        [sys.executable, "-m", "core", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as client:
        assert b'"start"' in client.stdout.readline()
        client.stdout.close()
        assert client.stderr.read() == b""
        assert client.wait(timeout=LIMIT) == 1
    assert 0 < len(files(tmp_path)) < 9000


def test_people_see_progress_on_stderr_and_the_result_on_stdout(given, tmp_path, capsys):
    assert main(options(given, tmp_path)) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{ROWS} of {ROWS} frames in {tmp_path}, builtin: numpy on CPU\n"
    assert printed.err == f"frames {ROWS}/{ROWS}\n"
