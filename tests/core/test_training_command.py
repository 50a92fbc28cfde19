"""`python -m core train`: options, output, exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core import __main__ as program
from core.avatar.file import load_avatar
from core.cli import main
from core.commands import train as command
from core.errors import ArgumentError
from core.training.config import PRESETS, TrainConfig
from core.training.folder import STATE
from core.training.job import STOP
from tests.support.events import events_of
from tests.support.processes import interruptible
from tests.support.training_runs import make_talking_clip
from tests.support.waiting import LIMIT

ROOT = Path(__file__).resolve().parents[2]
SHORT = [
    "--preset",
    "draft",
    "--points",
    "300",
    "--max-points",
    "400",
    "--batch",
    "1",
    "--features",
    "log-mel",
]
PROGRESS = {
    "event": str, "stage": str, "step": int, "steps": int, "seconds": float, "gaussians": int,
}  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_talking_clip(tmp_path_factory.mktemp("talking"))


def config_of(*options: str) -> TrainConfig:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.config_of(parser.parse_args(["d", "out.egs", *options]))


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "core", "train", *map(str, arguments)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with interruptible():
        return subprocess.Popen(line, cwd=ROOT, env=environ, text=True, stdout=pipe, stderr=pipe)


def steps(static: int, lips: int, motion: int) -> list[str]:
    return [f"--static-steps={static}", f"--lips-steps={lips}", f"--motion-steps={motion}"]


def check_contract(lines: Sequence[dict[str, Any]], out: Path, work: Path) -> None:
    assert lines[0]["event"] == "start" and lines[-1]["event"] == "done"
    for line in lines:
        kind = line["event"]
        if kind == "progress":
            assert all(isinstance(line[name], type_) for name, type_ in PROGRESS.items())
            assert line["stage"] in ("static", "lips", "motion") and line["step"] <= line["steps"]
            assert all(line[k] is None or line[k] >= 0 for k in ("remaining", "loss", "psnr"))
            assert (line["what"], line["done"]) == (line["stage"], line["step"])
            assert line["total"] == line["steps"]
        elif kind == "saved" and line["what"] == "preview":
            assert Path(line["path"]).read_bytes()[:2] == b"\xff\xd8"
        elif kind == "saved":
            assert line["what"] == "state" and Path(line["path"]) == work / STATE
        elif kind == "note":
            assert line["text"]
        else:
            assert kind in ("start", "done")
    assert Path(lines[-1]["path"]) == out and 5 < lines[-1]["psnr"] < 60


def test_json_lines_follow_the_contract(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "head.egs"
    process = start(clip, out, *SHORT, *steps(4, 3, 4), "--preview-every", "2", "--json")
    text, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, errors
    assert errors == ""
    lines = events_of(text)
    check_contract(lines, out, tmp_path / "head.training")
    names = sorted(Path(line["path"]).name for line in lines if line.get("what") == "preview")
    assert names == ["preview_000002.jpg", "preview_000004.jpg", "preview_final.jpg"]
    assert load_avatar(out).name == "head"


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a single process")
def test_ctrl_c_saves_and_resume_wants_the_same_options(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, work = tmp_path / "head.egs", tmp_path / "work"
    options = [*SHORT, *steps(10, 3000, 4), "--preview-every", "0", "--json", "--work", work]
    process = start(clip, out, *options)
    assert process.stdout is not None
    read = []
    for line in process.stdout:
        read.append(line)
        if '"lips"' in line and '"progress"' in line:
            process.send_signal(signal.SIGINT)
            break
    rest, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert errors.count("\n") == 1 and "--resume" in errors
    *_, saved, failed = events_of("".join(read) + rest)
    assert saved == {"event": "saved", "what": "state", "path": str(work / STATE)}
    assert (failed["event"], failed["code"]) == ("failed", 130)
    assert errors == f"error: {failed['message']}\n"
    assert not out.exists() and not (work / STOP).exists()
    assert main(["train", str(clip), str(out), *map(str, options), "--resume", "--seed=7"]) == 2
    assert "seed = 0, not 7" in capsys.readouterr().err


def test_ctrl_c_before_there_is_a_work_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        command._stop(tmp_path / "nowhere")
    command._stop(tmp_path)
    assert (tmp_path / STOP).is_file()


def test_threads_wait_asleep_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.cli.main", lambda: 0)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert program.start() == 0 and os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert program.start() == 0 and os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_people_get_lines_too(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = signal.getsignal(signal.SIGINT)
    arguments = [str(clip), str(tmp_path / "a.egs"), *SHORT, *steps(1, 1, 1)]
    assert main(["train", *arguments, "--device", "cpu"]) == 0
    assert signal.getsignal(signal.SIGINT) is before
    printed = capsys.readouterr()
    assert printed.out.startswith("done: ") and " dB" in printed.out
    assert printed.out.count("\n") == 1
    assert "static 1/1, loss" in printed.err and "preview: " in printed.err


def test_mistakes_are_one_line(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "a.egs")
    for arguments in (
        [str(clip), str(tmp_path / "a.txt")],
        [str(clip / "nowhere"), out],
        [str(clip), out, "--seed", "-1"],
        [str(clip), out, "--points", "3"],
        [str(clip), out, "--minutes", "nan"],
        [str(clip), out, "--arrangement", "official", "--no-kan"],
        [str(clip), out, "--features", "colours"],
        [str(clip), out, "--resume"],
    ):
        assert main(["train", *arguments]) == 2, arguments
        said = capsys.readouterr()
        assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1


def test_a_video_is_prepared_only_when_all_else_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "talk.mp4"
    video.touch()
    monkeypatch.setattr(command, "_prepared", lambda args: pytest.fail("it was prepared"))
    assert main(["train", str(video), str(tmp_path / "a.egs"), "--seed", "-1"]) == 2
    assert main(["train", str(video), str(tmp_path / "nowhere" / "a.egs")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_presets() -> None:
    draft, good, best = (config_of("--preset", name) for name in PRESETS)
    assert config_of() == good == TrainConfig()
    for name in ("static_steps", "motion_steps", "points", "max_points"):
        assert getattr(draft, name) < getattr(good, name) < getattr(best, name)
    assert draft.scale < good.scale == best.scale


def test_options_change_one_number_of_the_preset() -> None:
    plain = asdict(config_of("--preset", "draft"))
    config = asdict(config_of("--preset", "draft", "--seed", "5", "--no-kan", "--minutes", "7"))
    changed = {name: value for name, value in config.items() if value != plain[name]}
    assert changed == {"seed": 5, "kan": False, "minutes": 7.0}
    for part in command.PARTS:
        assert getattr(config_of(f"--no-{part.replace('_', '-')}"), part) is False
    for name, (kind, _) in command.NUMBERS.items():
        option = f"--{name.replace('_', '-')}={0.5 if kind is float else 99}"
        assert getattr(config_of(option), name) == (0.5 if kind is float else 99)


def test_the_official_arrangement_has_the_authors_sizes_and_losses() -> None:
    config = config_of("--arrangement", "official")
    assert (config.window, config.agents, config.hidden, config.lips_steps) == (16, 200, 128, 0)
    losses = config.losses
    assert losses.square == losses.mask == losses.offset == losses.landmark == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"arrangement": "mine"}, {"window": 0}, {"window": 17}, {"scale": 0.0}, {"scale": 1.5},
        {"minutes": 0.0}, {"minutes": float("nan")}, {"minutes": 1e9}, {"seed": -1}, {"batch": 0},
        {"points": 2}, {"motion_steps": 0}, {"static_steps": 0}, {"preview_every": -1},
        {"arrangement": "official", "esaa": False},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=r"give|choose|leave"):
        TrainConfig(**wrong)
