"""A full Blender: found, given the zip in a profile of its own, started on a script."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from process import SetupError, run_or_fail

from .display import HEIGHT, WIDTH, Display

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Inherited by every Blender here: none of these may reach the user's own Blender.
FOREIGN = ("BLENDER_USER_CONFIG", "BLENDER_USER_SCRIPTS", "BLENDER_USER_EXTENSIONS")


@dataclass(frozen=True)
class Profile:
    """A Blender with the extension installed. folder: holds settings, extensions, files."""

    blender: str
    folder: Path

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in base.items() if name not in FOREIGN}
        return {**kept, "BLENDER_USER_RESOURCES": str(self.folder / "user")}


def find(environ: Mapping[str, str]) -> str:
    """$BLENDER, else `blender` on PATH. SetupError where neither runs."""
    named = environ.get("BLENDER", "")
    found = shutil.which(named or "blender", path=environ.get("PATH"))
    if found is None:
        raise SetupError(
            f"BLENDER={named} is no program; name Blender's executable"
            if named
            else "no Blender found: put `blender` on PATH, or name it: BLENDER=/path/to/blender"
        )
    return found


def build_zip(profile: Profile, environ: Mapping[str, str]) -> Path:
    """The extension as this checkout has it, packed by Blender's own builder."""
    archive = profile.folder / "egstalker.zip"
    command = [profile.blender, "--command", "extension", "build"]
    options = ["--source-dir", str(ROOT), "--output-filepath", str(archive)]
    _run(profile, [*command, *options], environ, "building the zip")
    if not archive.is_file():
        raise SetupError(f"{profile.blender} built no {archive.name}; log {_log(profile)}")
    return archive


def install(profile: Profile, archive: Path, environ: Mapping[str, str]) -> None:
    """Install and enable the zip in the profile, and set what a scripted session needs."""
    script = ["--python-exit-code", "1", "--python", str(HERE / "profile.py"), "--", str(archive)]
    _run(profile, [profile.blender, "-b", *script], environ, f"installing {archive.name}")


def session_command(
    profile: Profile, display: Display, script: str, out: Path, options: Sequence[str] = ()
) -> list[str]:
    """The command that runs one script (`tour`, `safety`) in a window. options: of Blender, such
    as --gpu-backend vulkan. out: where pictures and report.json go."""
    picture = [f"--framebuffer={display.framebuffer}"] if display.framebuffer else []
    return [
        *display.prefix,
        profile.blender,
        *options,
        "--enable-event-simulate",
        "--window-geometry",
        *("0", "0", str(WIDTH), str(HEIGHT)),
        "--python",
        str(HERE / "start.py"),
        "--",
        script,
        f"--out={out}",
        *picture,
    ]


def _log(profile: Profile) -> Path:
    return profile.folder / "install.log"


def _run(profile: Profile, command: Sequence[str], environ: Mapping[str, str], what: str) -> None:
    advice = "mend what the log says, or name another Blender: BLENDER=/path/to/blender"
    run_or_fail(command, _log(profile), what, advice, profile.environ(environ))
