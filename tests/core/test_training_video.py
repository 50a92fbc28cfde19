"""`train` on a video: it is prepared first, by the same steps as `prepare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.commands.console import Console
from core.commands.prepare import SHOWN, report
from core.prepare import pipeline
from core.prepare.findings.record import read_findings
from core.training import trainer

BAD = {
    "name": "face size", "grade": "bad", "value": 96.0, "unit": "px",
    "text": "The face is small.", "advice": "Film from nearer.",
}  # fmt: skip
GOOD = {**BAD, "name": "noise", "grade": "good", "advice": ""}


def test_a_video_is_prepared_next_to_the_avatar_and_then_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = tmp_path / "talk.mp4", tmp_path / "avatars" / "head.egs"
    video.write_bytes(b"video")
    out.parent.mkdir()
    done: list[Any] = []

    def prepare(source: Path, folder: Path, options: object, **listeners: Any) -> dict[str, Any]:
        done.append(("prepare", source, folder))
        listeners["progress"]("landmarks", 3, 10)
        listeners["note"]("rather dark")
        return {"findings": [BAD, GOOD]}

    monkeypatch.setattr(pipeline, "prepare", prepare)
    monkeypatch.setattr(trainer, "train", lambda job, show: done.append(("train", job.dataset)))
    assert main(["train", str(video), str(out), "--json"]) == 0
    dataset = out.parent / "talk.dataset"
    assert done == [("prepare", video, dataset), ("train", dataset)]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"event": "start", "what": "prepare", "video": str(video), "path": str(dataset)},
        {"event": "progress", "what": "landmarks", "step": "landmarks", "done": 3, "total": 10},
        {"event": "note", "text": "rather dark"},
        {"event": "saved", "what": "picture", "path": str(dataset / "prepare_report.jpg")},
        {
            "event": "note",
            "text": "face size is bad: The face is small. Film from nearer.",
            "finding": BAD,
        },
        {"event": "saved", "what": "page", "path": str(dataset / "prepare_report.html")},
    ]
    assert main(["train", str(video), str(out)]) == 0
    output = capsys.readouterr().err.splitlines()
    assert output[-2:] == [
        "note: face size is bad: The face is small. Film from nearer.",
        f"all findings with advice: {dataset / 'prepare_report.html'}",
    ]


@pytest.mark.parametrize(
    ("findings", "notes"),
    [
        ([GOOD], ["nothing was found that harms a training"]),
        ([], []),  # of an earlier preparation
        ([BAD] * 9, ["face size is bad: The face is small. Film from nearer."] * SHOWN),
    ],
)
def test_only_the_worst_are_named(
    findings: list[dict[str, Any]], notes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    report(read_findings(findings), Console(as_json=True))
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == notes


def test_a_folder_is_trained_on_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(trainer, "train", lambda job, show: done.append(job.dataset))
    assert main(["train", str(tmp_path), str(tmp_path / "head.egs")]) == 0
    assert done == [tmp_path]
