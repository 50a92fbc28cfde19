"""The commands that set up a Python for the worker: versions, hashes, options."""

from __future__ import annotations

import ensurepip
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from egstalker.core.system.files import hash_of
from egstalker.egstalker_blender.setup_worker import plan

ROOT = Path(__file__).resolve().parents[2]


def test_torch_is_that_of_the_project() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert groups["torch"] == [plan.TORCH]


@pytest.mark.parametrize("choice", [item[0] for item in plan.CHOICES])
def test_commands_of_each_choice(choice: str, tmp_path: Path) -> None:
    steps = plan.steps_for(choice, Path("base"), tmp_path / "new")
    assert sum(step.share for step in steps) == pytest.approx(1)
    inside = str(plan.python_of(tmp_path / "new"))
    torch = choice != "cpu"
    assert [step.command[0] for step in steps] == ["base", *(3 if torch else 2) * [inside]]
    lists = [word for word in steps[1].command if word.startswith("--requirement=")]
    assert len(lists) == {"cpu": 1, "cpu_torch": 2, "cuda": 3}[choice]
    assert any("gsplat" in path for path in lists) == (choice == "cuda")
    assert choice in plan.SPACE


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_torch_is_installed_by_hash_except_from_its_own_index(platform: str) -> None:
    assert plan.torch_arguments("cpu", platform) == ()
    for choice in ("cpu_torch", "cuda"):
        words = plan.torch_arguments(choice, platform)
        other = (choice, platform) in (("cpu_torch", "linux"), ("cuda", "win32"))
        assert ("--extra-index-url" in words, plan.TORCH in words) == (other, other)
        assert ("--require-hashes" in words) == (not other)
        assert "--no-deps" in words  # the rest is in the lists


@pytest.mark.parametrize("videos", [None, plan.WITH_MODELS, plan.WITHOUT_MODELS])
def test_the_versions_are_the_locked_ones(videos: plan.Videos | None, tmp_path: Path) -> None:
    """The file lies in the extension's own folder, wherever that is, and so in the zip."""
    hashed = plan.steps_for("cuda", Path("base"), tmp_path / "new", videos)[1].command
    build, other = (plan.torch_arguments("cuda", name, videos) for name in ("linux", "win32"))
    assert {"--require-hashes", "--no-deps"} <= {*hashed} & {*build}
    words = [word for word in (*hashed, *build, *other) if word.startswith(("--req", "--con"))]
    files = [Path(word.partition("=")[2]) for word in words if "=" in word]
    assert all(file.is_file() and file.is_relative_to(plan.FOLDER) for file in files)
    assert f"\n{plan.TORCH} --hash=sha256:" in files[-2].read_text()
    for file in (files[0], files[-1]):
        assert ("mediapipe==" in file.read_text()) == (videos is not None)


def test_a_file_with_another_hash_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pip that new environments get, with the options of the plan and without an index."""
    pip = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"), None)
    if pip is None:
        pytest.skip("this Python has no pip for its environments")
    wheel = tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "")
        about = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        archive.writestr("tiny-1.0.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny-1.0.dist-info/WHEEL", kind)
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setattr(plan, "HASHES", tmp_path)
    command = plan.steps_for("cpu", Path("base"), tmp_path / "new")[1].command
    assert command[1:3] == ("-m", "pip")
    install = [sys.executable, str(pip / "pip"), *command[3:], "--no-index"]
    install.append(f"--find-links={wheel.parent}")
    for digest, code in ((hash_of(wheel), 0), ("0" * 64, 1)):
        (tmp_path / "worker.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
        target = f"--target={tmp_path / digest}"
        done = subprocess.run([*install, target], capture_output=True, check=False)
        assert done.returncode == code
        assert (tmp_path / digest / "tiny.py").exists() == (code == 0)
    assert b"DO NOT MATCH" in done.stderr
