"""prepare.json in the dataset folder: which steps of a preparation are finished.

Each step has a key, a digest of everything that its result depends on (the video's bytes, its
options, the step before). A step whose key is recorded as done and whose files still exist is
kept. One that was only begun with the same key keeps the frames that it wrote.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import OutputError, VideoError
from ..system.files import open_regular, reason, write_atomic

NAME = "prepare.json"
VERSION = 1
MAX_STATE = 2**20
BLOCK = 2**22
WHOLE = 2**28  # bytes of a video; of a larger one, blocks from all over it are read
SAMPLES = 64  # such blocks


def digest_of_file(path: Path) -> str:
    """SHA-256 of a video file. VideoError if it is missing, empty or cannot be read."""
    file, size = open_regular(path, VideoError, 2**40)
    with file:
        if not size:
            raise VideoError(f"{path} is an empty file; record or copy the video again")
        digest = hashlib.sha256()
        try:
            while block := file.read(BLOCK):
                digest.update(block)
        except OSError as error:
            raise VideoError(f"{path} cannot be read: {reason(error)}") from None
    return digest.hexdigest()


def digest_of_video(path: Path) -> str:
    """Digest by which a video is recognised: SHA-256 of the file, or where it is larger than WHOLE
    of its size and of SAMPLES blocks, because reading hours of film takes minutes. Errors as
    digest_of_file."""
    file, size = open_regular(path, VideoError, 2**40)
    with file:
        if size <= WHOLE:
            return digest_of_file(path)
        digest = hashlib.sha256(str(size).encode())
        try:
            for index in range(SAMPLES):
                file.seek((size - BLOCK) * index // (SAMPLES - 1))
                digest.update(file.read(BLOCK))
        except OSError as error:
            raise VideoError(f"{path} cannot be read: {reason(error)}") from None
    return digest.hexdigest()


def digest_of(*values: Any) -> str:
    """Digest of plain values (numbers, texts, None, lists and tables of them)."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


class State:
    """prepare.json of one folder, written after every change."""

    def __init__(self, folder: Path, source: str, name: str) -> None:
        """`source`: digest of the video. OutputError if the folder contains something else."""
        self.path = folder / NAME
        self._steps: dict[str, dict[str, Any]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            occupied = any(not entry.name.startswith(".") for entry in folder.iterdir())
        except OSError as error:
            raise OutputError(f"{folder} cannot be used: {reason(error)}") from None
        if self.path.exists():
            self._load(source, folder)
        elif occupied:
            raise OutputError(
                f"{folder} contains files that prepare did not make; give an empty or new folder"
            )
        self._document = {"version": VERSION, "video": name, "sha256": source, "steps": self._steps}

    def _load(self, source: str, folder: Path) -> None:
        try:
            file, size = open_regular(self.path, OutputError, MAX_STATE)
            with file:
                document = json.loads(file.read(size))
            steps = document["steps"]
            known = document["version"] == VERSION and isinstance(steps, dict)
            known = known and all(isinstance(step, dict) for step in steps.values())
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OutputError(f"{self.path} is damaged; remove it, or give a new folder") from None
        if not known:
            raise OutputError(
                f"{self.path} was written by another version; give a new folder for this one"
            )
        if document.get("sha256") != source:
            raise OutputError(
                f"{folder} was made from another video ({document.get('video')}); give a new folder"
            )
        self._steps = steps

    def is_done(self, step: str, key: str) -> bool:
        found = self._steps.get(step, {})
        return found.get("key") == key and found.get("done") is True

    def is_begun(self, step: str, key: str) -> bool:
        """True if existing files were written by this step with this key."""
        return self._steps.get(step, {}).get("key") == key

    def facts(self, step: str) -> dict[str, Any]:
        """The results of a finished step."""
        facts = self._steps.get(step, {}).get("facts", {})
        return facts if isinstance(facts, dict) else {}

    def begin(self, step: str, key: str) -> None:
        self._write(step, {"key": key, "done": False})

    def finish(self, step: str, key: str, facts: dict[str, Any]) -> None:
        self._write(step, {"key": key, "done": True, "facts": facts})

    def _write(self, step: str, record: dict[str, Any]) -> None:
        self._steps[step] = record
        write_atomic(self.path, [json.dumps(self._document, indent=1).encode()])
