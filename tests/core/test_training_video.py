"""`train` on a video: it is prepared first, by the same steps as `prepare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.prepare import pipeline
from core.training import trainer


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
        return {}

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
    ]


def test_a_folder_is_trained_on_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(trainer, "train", lambda job, show: done.append(job.dataset))
    assert main(["train", str(tmp_path), str(tmp_path / "head.egs")]) == 0
    assert done == [tmp_path]
