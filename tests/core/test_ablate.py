"""`python -m core ablate`: each training in its own process; finished ones are kept."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from core.cli import build_parser, main
from core.commands import ablate as command
from core.errors import ArgumentError, CancelledError, TrainingError
from core.evaluation import ablation
from core.evaluation.ablation import VARIANTS, Ablation, ablate, table_of
from core.evaluation.evaluate import Options
from tests.support.events import events_of, result_of
from tests.support.talking_clip import acted_clip, acting, acting_avatar

# A stand-in for `train`: reports progress, makes a work folder, copies an avatar.
TRAIN = """
import json, pathlib, shutil, sys
out, work, ready, code = sys.argv[1:5]
work = pathlib.Path(work)
work.mkdir(exist_ok=True)
print("not a JSON line")
print(json.dumps({"event": "progress", "stage": "static", "step": 1, "steps": 2}), flush=True)
if code == "0":
    shutil.copy(ready, out)
    print(json.dumps({"event": "done", "path": out, "psnr": 1.5}), flush=True)
sys.exit(int(code))
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acted")
    acted_clip(folder / "clip", acting_avatar(folder / "a.egs"), acting())
    return folder


@pytest.fixture
def trained(given, monkeypatch):
    """The options of every training that was started. `trained.code`: exit code of the next one."""
    words = Words()

    def stand_in(job, avatar, work, options):
        words.append((avatar.stem, list(options), work.is_dir()))
        ready = str(given / "a.egs")
        return [sys.executable, "-c", TRAIN, str(avatar), str(work), ready, str(words.code)]

    monkeypatch.setattr(ablation, "command", stand_in)
    return words


class Words(list):
    code = 0


def job(given, folder, **changes):
    only = changes.pop("only", ("full", "no-kan"))
    options = Options(rows=("60-63",))
    return Ablation(given / "clip", folder, acting(), only=only, options=options, **changes)


def test_every_variant_is_trained_measured_and_set_in_the_table(given, trained, tmp_path):
    events = []
    results = ablate(job(given, tmp_path, train=("--minutes", "1")), events.append)
    assert trained == [
        ("full", ["--minutes", "1"], False),
        ("no-kan", ["--minutes", "1", "--no-kan"], False),
    ]
    assert list(results) == ["full", "no-kan"]
    assert results["full"]["values"]["psnr"] > 30
    kinds = {(event["variant"], event["event"]) for event in events}
    assert {("full", "progress"), ("no-kan", "done"), ("no-kan", "evaluating")} <= kinds
    assert json.loads((tmp_path / "ablation.json").read_text()) == json.loads(json.dumps(results))
    table = (tmp_path / "ablation.txt").read_text()
    assert table == table_of(results)
    head, full, without = table.splitlines()
    assert head.split()[:3] == ["PSNR", "head", "mouth"]
    assert full.startswith("full") and f"{results['full']['values']['psnr']:.2f}" in full
    assert without.split()[0] == "no-kan" and " - " in without  # LPIPS has no weights here
    assert (tmp_path / "no-kan" / "report.html").is_file()


def test_what_is_finished_is_kept(given, trained, tmp_path):
    first = ablate(job(given, tmp_path, only=("full",)), lambda event: None)
    again = ablate(job(given, tmp_path), lambda event: None)
    assert [name for name, *_ in trained] == ["full", "no-kan"]
    assert again["full"] == first["full"]
    # A deleted report is written again, without another training.
    shutil.rmtree(tmp_path / "full")
    ablate(job(given, tmp_path), lambda event: None)
    assert len(trained) == 2 and (tmp_path / "full/report.json").is_file()


def test_other_options_are_no_continuation(given, trained, tmp_path):
    ablate(job(given, tmp_path, only=("full",)), lambda event: None)
    with pytest.raises(ArgumentError, match="--minutes 9"):
        ablate(job(given, tmp_path, train=("--minutes", "9")), lambda event: None)


def test_a_stopped_training_goes_on(given, trained, tmp_path):
    trained.code = 130
    with pytest.raises(CancelledError, match="full"):
        ablate(job(given, tmp_path), lambda event: None)
    trained.code = 0
    ablate(job(given, tmp_path, only=("full",)), lambda event: None)
    assert [resumed for *_, resumed in trained] == [False, True]


def test_a_failed_training_is_an_error(given, trained, tmp_path):
    trained.code = 1
    with pytest.raises(TrainingError, match="code 1"):
        ablate(job(given, tmp_path), lambda event: None)


def test_a_listener_that_fails_ends_the_training(given, trained, tmp_path):
    def fail(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablate(job(given, tmp_path), fail)
    assert (tmp_path / "full.training/stop").exists()  # asks a real one to save and end


def test_the_trainings_command_line(given, tmp_path):
    avatar, work = tmp_path / "no-esaa.egs", tmp_path / "no-esaa.training"
    words = ablation.command(job(given, tmp_path), avatar, work, ["--minutes", "2", "--no-esaa"])
    assert words[:4] == [sys.executable, "-m", "core", "train"]
    args = build_parser().parse_args(words[3:])
    assert (args.out, args.work, args.minutes, args.no_esaa, args.no_kan) == (
        avatar,
        work,
        2,
        True,
        False,
    )
    assert args.json and not args.resume
    work.mkdir()
    assert ablation.command(job(given, tmp_path), avatar, work, [])[-1] == "--resume"


def test_options_of_train_follow_the_folder(monkeypatch, tmp_path, capsys):
    seen = []
    monkeypatch.setattr(command, "ablate", lambda job, on_event: seen.append(job) or {})
    words = ["ablate", "--only", "full,no-ppe", "--backend", "numpy", "clip", str(tmp_path)]
    assert main([*words, "--minutes", "3", "--json"]) == 0
    (made,) = seen
    assert made.train == ("--minutes", "3") and made.only == ("full", "no-ppe")
    assert made.dataset == Path("clip")
    last = result_of(capsys.readouterr().out)
    assert last["path"] == str(tmp_path) and last["variants"] == {}
    assert main(["ablate", "--only", "no-head", "clip", str(tmp_path)]) == 2
    assert "no-static-init" in capsys.readouterr().err


CHILD = [  # what a training and an evaluation report
    {"event": "start", "what": "train", "device": "cpu", "stages": ["static"]},
    {"event": "progress", "what": "static", "done": 1, "total": 2, "stage": "static", "step": 1},
    {"event": "note", "text": "rather dark"},
    {"event": "saved", "what": "state", "path": "full.training/state"},
    {"event": "done", "path": "full.egs", "psnr": 30.5},
    {"event": "failed", "message": "stopped", "code": 130},
    {"event": "evaluating", "step": "val", "done": 2, "total": 3},
    {"of": "a library"},
]


def test_the_events_of_every_variant_are_passed_on(monkeypatch, tmp_path, capsys):
    def stand_in(job, report):
        for event in CHILD:
            report({"variant": "full", **event})
        return {"full": {"seconds": 60.0, "values": {}}}

    monkeypatch.setattr(command, "ablate", stand_in)
    words = ["ablate", "--backend", "numpy", "clip", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    first, *events, last = events_of(capsys.readouterr().out)
    assert first == {"event": "start", "what": "ablate", "dataset": "clip", "path": str(tmp_path)}
    assert {event["variant"] for event in events} == {"full"}
    assert [event["event"] for event in events] == [
        "start", "progress", "note", "saved", "saved", "progress"]  # fmt: skip
    trained = {"what": "avatar", "variant": "full", "psnr": 30.5, "path": "full.egs"}
    assert events[4] == {"event": "saved", **trained}
    assert events[5]["what"] == "full: val" and events[5]["done"] == 2
    assert last["variants"]["full"]["seconds"] == 60
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].split()[0] == "full"
    assert "full: trained, full.egs" in printed.err and "note: rather dark" in printed.err


@pytest.mark.parametrize("option", ["--no-kan", "--work=x", "--resume"])
def test_options_that_ablate_sets_are_refused(given, tmp_path, option):
    with pytest.raises(ArgumentError, match=option.partition("=")[0]):
        ablate(job(given, tmp_path, train=(option,)), lambda event: None)
    parts = ("kan", "esaa", "ppe", "hash", "static-init", "body", "mouth")
    assert set(VARIANTS) == {"full", *(f"no-{part}" for part in parts)}
