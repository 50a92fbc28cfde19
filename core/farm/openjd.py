"""A bake as a job bundle of Open Job Description (specification jobtemplate-2023-09).

The files are JSON, which every reader of the YAML form takes:

    template.json           the job: one step for each head, its frames in chunks
    parameter_values.json   values of the parameters, as AWS Deadline Cloud reads them
    openjd_values.json      the same for `openjd run template.json -p file://openjd_values.json`
    asset_references.json   the files that the job reads and the folder that it writes

What a user chose (names, paths) stands in parameters alone, because a template's own text is
searched for {{ }}.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from ..system.files import write_atomic

MAX_TEXT = 1024  # characters of a parameter's value
MAX_NAME = 128  # characters of a job's name
BATCH = "egstalker_blender/batch.py"
STOP_SECONDS = 30  # between the signal that asks a task to end and the one that ends it


@dataclass(frozen=True)
class FarmHead:
    """name: of the object, empty for the only head of the job. frames: see frames.frames_text.
    options: further options of batch.py, none of them chosen by a user's free text."""

    name: str
    frames: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class FarmJob:
    """name: of the job. extension: this extension's own folder. blend: the scene, or None; then
    avatar and audio are given. heads: at least one. inputs: every file that the job reads. chunk:
    frames of a task. blender: the program on the nodes."""

    name: str
    extension: Path
    blend: Path | None
    avatar: Path | None
    audio: Path | None
    out: Path
    heads: tuple[FarmHead, ...]
    inputs: tuple[Path, ...]
    chunk: int
    blender: str = "blender"


def write_bundle(folder: Path, job: FarmJob) -> None:
    """Write the four files into `folder`, which is made if it is missing. ArgumentError for values
    that the specification does not take; OutputError."""
    files = bundle(job)
    with contextlib.suppress(OSError):  # write_atomic reports it
        folder.mkdir(parents=True, exist_ok=True)
    for name, document in files.items():
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        write_atomic(folder / name, [text.encode()])


def bundle(job: FarmJob) -> dict[str, Mapping[str, Any]]:
    """File name -> document."""
    parameters = _parameters(job)
    values = {entry["name"]: value for entry, value in parameters}
    for name, value in values.items():
        if len(str(value)) > MAX_TEXT:
            raise ArgumentError(
                f"{name} of the farm job has {len(str(value))} characters, more than {MAX_TEXT}; "
                "give a shorter path, or frames in fewer pieces"
            )
    return {
        "template.json": _template(job, [entry for entry, _ in parameters]),
        "parameter_values.json": {
            "parameterValues": [{"name": name, "value": value} for name, value in values.items()]
        },
        "openjd_values.json": values,
        "asset_references.json": {
            "assetReferences": {
                "inputs": {"filenames": sorted({str(path) for path in job.inputs})},
                "outputs": {"directories": [str(job.out)]},
            }
        },
    }


def _parameters(job: FarmJob) -> list[tuple[dict[str, Any], Any]]:
    """Definition and value of each parameter."""
    given = [
        (_file("BlendFile", "Scene that is baked"), job.blend),
        (_file("Avatar", "Avatar file (.egs)"), job.avatar),
        (_file("Audio", "Recording or its features"), job.audio),
    ]
    found: list[tuple[dict[str, Any], Any]] = [
        (entry, str(path)) for entry, path in given if path is not None
    ]
    found += [
        (_folder("Output", "OUT", "Folder of the pictures"), str(job.out)),
        # Its files are among the assets; the folder may hold more, for example environments.
        (_folder("Extension", "NONE", "Folder of the extension EGSTalker"), str(job.extension)),
        (_text("Blender", "Blender on the nodes"), job.blender),
        ({"name": "ChunkSize", "type": "INT", "minValue": 1,
          "description": "Frames of a task"}, job.chunk),
    ]  # fmt: skip
    for suffix, head in _numbered(job.heads):
        found.append((_text(f"Frames{suffix}", "Frames, such as 1-100 or 1-99:2"), head.frames))
        if head.name:
            found.append((_text(f"Head{suffix}", "Object that is baked"), head.name))
    return found


def _file(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "type": "PATH", "objectType": "FILE", "dataFlow": "IN",
            "description": text}  # fmt: skip


def _folder(name: str, flow: str, text: str) -> dict[str, Any]:
    return {"name": name, "type": "PATH", "objectType": "DIRECTORY", "dataFlow": flow,
            "description": text}  # fmt: skip


def _text(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "type": "STRING", "minLength": 1, "description": text}


def _numbered(heads: Sequence[FarmHead]) -> list[tuple[str, FarmHead]]:
    if len(heads) == 1:
        return [("", heads[0])]
    return [(str(number), head) for number, head in enumerate(heads, start=1)]


def _template(job: FarmJob, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "extensions": ["TASK_CHUNKING"],
        "name": _plain_name(job.name),
        "parameterDefinitions": parameters,
        "steps": [_step(job, suffix, head) for suffix, head in _numbered(job.heads)],
    }


def _plain_name(name: str) -> str:
    """Without what the specification does not take in a job's name."""
    text = "".join(c for c in name if c.isprintable()).replace("{{", "{").replace("}}", "}")
    return text[:MAX_NAME] or "bake"


def _step(job: FarmJob, suffix: str, head: FarmHead) -> dict[str, Any]:
    own = [f"--object={{{{Param.Head{suffix}}}}}"] if head.name else []
    frames = f"{{{{Param.Frames{suffix}}}}}"
    options = [*_options(job), *own, *head.options]
    return {
        "name": f"Bake {suffix}".strip(),
        # Each node is checked once, before its first frame.
        "stepEnvironments": [
            {
                "name": "Check",
                "script": {"actions": {"onEnter": _action(job, "--frames", frames, "--check",
                                                          *options)}},
            }
        ],
        "parameterSpace": {
            "taskParameterDefinitions": [
                {
                    "name": "Frame",
                    "type": "CHUNK[INT]",
                    "range": frames,
                    "chunks": {
                        "defaultTaskCount": "{{Param.ChunkSize}}",
                        "rangeConstraint": "NONCONTIGUOUS",
                    },
                }
            ]
        },
        "script": {
            "actions": {"onRun": _action(job, "--frames", "{{Task.Param.Frame}}", *options)}
        },
    }  # fmt: skip


def _options(job: FarmJob) -> list[str]:
    files = [("--avatar", "Avatar", job.avatar), ("--audio", "Audio", job.audio)]
    given = [text for option, name, path in files if path is not None
             for text in (option, f"{{{{Param.{name}}}}}")]  # fmt: skip
    return [*given, "--out", "{{Param.Output}}", "--progress", "openjd",
            "--skip-existing", "--path-mapping", "{{Session.PathMappingRulesFile}}"]  # fmt: skip


def _action(job: FarmJob, *options: str) -> dict[str, Any]:
    """Drivers of the scene run (--enable-autoexec): it is the submitter's own."""
    scene = ["{{Param.BlendFile}}"] if job.blend else []
    return {
        "command": "{{Param.Blender}}",
        "args": ["--background", "--enable-autoexec", *scene, "--python-exit-code", "1",
                 "--python", f"{{{{Param.Extension}}}}/{BATCH}", "--", *options],
        "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": STOP_SECONDS},
    }  # fmt: skip
