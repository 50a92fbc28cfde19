"""Farm jobs: the bundle of Open Job Description, Flamenco's job type, 100,000 frames."""

from __future__ import annotations

import json
import subprocess
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from core.bake.plan import training_tasks
from core.errors import ArgumentError, OutputError
from core.farm.openjd import FarmHead, FarmJob, bundle, write_bundle
from core.records.timeline import MAX_FRAMES, parse_frames
from tests.support.farm import compiled, tool
from tests.support.talking import small_avatar

# The job bundle ----------------------------------------------------------------------------------


def farm_job(folder: Path, **changes: Any) -> FarmJob:
    job = FarmJob(
        name="EGSTalker shot {{Param.Secret}}",
        extension=Path("/ext"),
        blend=folder / "shot {{Task.File.x}}.blend",
        avatar=None,
        audio=None,
        out=folder / "frames",
        heads=(FarmHead("", "1-12", ("--size", "64x64")),),
        inputs=(folder / "b.wav", folder / "a.egs", folder / "b.wav"),
        chunk=4,
    )
    return replace(job, **changes)


def test_what_a_user_named_stands_in_parameters_alone(tmp_path: Path) -> None:
    heads = (FarmHead("{{Param.Output}}", "1-3"), FarmHead("-x", "5-9:2"))
    files = bundle(farm_job(tmp_path, heads=heads))
    template, values = files["template.json"], files["openjd_values.json"]
    text = json.dumps(template)
    assert "Secret}}" not in text and "Task.File" not in text and str(tmp_path) not in text
    assert [step["name"] for step in template["steps"]] == ["Bake 1", "Bake 2"]
    assert (values["Head1"], values["Head2"]) == ("{{Param.Output}}", "-x")
    assert (values["Frames1"], values["Frames2"]) == ("1-3", "5-9:2")
    for number, step in enumerate(template["steps"], start=1):
        run = step["script"]["actions"]["onRun"]
        assert f"--object={{{{Param.Head{number}}}}}" in run["args"]
    assert files["parameter_values.json"] == {
        "parameterValues": [{"name": name, "value": value} for name, value in values.items()]
    }
    assert files["asset_references.json"]["assetReferences"] == {
        "inputs": {"filenames": [str(tmp_path / "a.egs"), str(tmp_path / "b.wav")]},
        "outputs": {"directories": [str(tmp_path / "frames")]},
    }


def test_jobs_of_windows_keep_shares_of_a_network(tmp_path: Path) -> None:
    """In the bundle and in Flamenco's commands, with letters of any language."""
    share = PureWindowsPath("//Büro/頭 №1")
    head, shot = share / "Ünï {x}" / "head.egs", share / "100% #1.blend"
    job = farm_job(
        share, extension=share / "ext", blend=shot, out=share / "frames", inputs=(head, shot)
    )
    files = bundle(job)
    values = json.loads(json.dumps(files["openjd_values.json"]))
    assert values["BlendFile"] == r"\\Büro\頭 №1\100% #1.blend"
    assert values["Output"] == r"\\Büro\頭 №1\frames"
    assert values["Extension"] == r"\\Büro\頭 №1\ext"
    there = files["asset_references.json"]["assetReferences"]
    assert there["inputs"]["filenames"] == sorted([str(head), str(shot)])
    script, output = r"\\Büro\頭 №1\ext\batch.py", r"\\Büro\頭 №1\Ünï {x}"
    found = compiled(tmp_path, frames="1-3", output=output, blendfile=str(shot), script=script)
    given = found["tasks"][1]["commands"][0]["parameters"]
    words = given["args"]
    assert given["blendfile"] == str(shot) and words[words.index("--out") + 1] == output
    assert words[words.index("--python") + 1] == script


def test_values_that_no_farm_takes_are_refused(tmp_path: Path) -> None:
    scattered = ",".join(map(str, range(1, 2000, 3)))
    for changes, name in (
        ({"heads": (FarmHead("", scattered),)}, "Frames"),
        ({"out": tmp_path / ("x" * 200) / ("y" * 900)}, "Output"),
    ):
        with pytest.raises(ArgumentError, match=f"{name} of the farm job"):
            write_bundle(tmp_path / "bundle", farm_job(tmp_path, **changes))
    assert not (tmp_path / "bundle").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_bundle(tmp_path / "file" / "bundle", farm_job(tmp_path))


def openjd(*words: object) -> subprocess.CompletedProcess[str]:
    command = [tool("openjd"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_open_job_description_takes_the_bundle_of_100_000_frames(tmp_path: Path) -> None:
    heads = (FarmHead("", f"1-{MAX_FRAMES}"),)
    write_bundle(tmp_path, farm_job(tmp_path, heads=heads, chunk=250))
    template = tmp_path / "template.json"
    done = openjd("summary", template, "-p", f"file://{tmp_path / 'openjd_values.json'}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Bake" in done.stdout


# 100,000 frames ----------------------------------------------------------------------------------


def test_flamenco_plans_100_000_frames(tmp_path: Path) -> None:
    settings = {
        "frames": f"1-{MAX_FRAMES}",
        "output": "/o",
        "blendfile": "/s.blend",
        "script": "/b",
    }
    found = compiled(tmp_path, **settings)
    tasks = found["tasks"]
    assert len(tasks) == 401 and tasks[0]["name"] == "check"
    assert tasks[-1]["name"] == f"bake-{MAX_FRAMES - 249}-{MAX_FRAMES}"
    assert all(task["dependencies"] == ["check"] for task in tasks[1:])
    frames = [task["commands"][0]["parameters"]["args"] for task in tasks[1:]]
    chunks = [parse_frames(args[args.index("--frames") + 1]) for args in frames]
    assert [frame for chunk in chunks for frame in chunk] == list(range(1, MAX_FRAMES + 1))
    assert sum(task["commands"][0]["totalStepCount"] for task in tasks[1:]) == MAX_FRAMES


def test_flamenco_options_that_are_given_are_passed_on(tmp_path: Path) -> None:
    settings = {"frames": "1-3", "output": "/o", "blendfile": "/s.blend", "script": "/b.py"}
    plain = compiled(tmp_path, **settings)["tasks"][1]["commands"][0]["parameters"]["args"]
    assert not [word for word in plain if word.startswith(("--object", "--size"))]
    full = compiled(tmp_path, **settings, object="-Köpfe {x}", size="8x8", format="exr")
    words = full["tasks"][1]["commands"][0]["parameters"]["args"]
    assert "--object=-Köpfe {x}" in words and words[words.index("--size") + 1] == "8x8"
    assert words[words.index("--format") + 1] == "exr"
    with pytest.raises(subprocess.CalledProcessError):
        compiled(tmp_path, **settings | {"chunk_size": 0})


def test_a_bake_of_100_000_frames_is_planned_in_seconds(tmp_path: Path) -> None:
    avatar = small_avatar(tmp_path / "small.egs")
    begin = time.process_time()
    tasks = training_tasks(avatar, parse_frames(f"1-{MAX_FRAMES}"))
    assert (tasks[-1].number, len(tasks)) == (MAX_FRAMES, MAX_FRAMES)
    assert time.process_time() - begin < 60  # 5 s on one core; a quadratic plan takes hours
    tracemalloc.start()
    try:
        few = training_tasks(avatar, range(1, 5001))
        size = tracemalloc.get_traced_memory()[0] / len(few)
    finally:
        tracemalloc.stop()
    assert size < 2000  # bytes a frame: less than 200 MB for all of them
