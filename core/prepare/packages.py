"""The packages and models that a preparation needs: present, of a version that may run, known.

MediaPipe 0.10.21 is the last version that contains its models (Python 3.9 to 3.12, numpy below 2).
Later ones take model files that the user names. From 0.10.35 on it contains code that sends usage
metrics, so those versions are refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from ..errors import ArgumentError, MissingPackageError
from ..system.files import hash_of, reason

PACKAGES = {"av": "av", "mediapipe": "mediapipe", "PIL": "pillow", "scipy": "scipy"}
WITH_MODELS, WITHOUT_MODELS = "mediapipe==0.10.21", "mediapipe==0.10.30"
SENDS_METRICS = (0, 10, 35)  # and all later versions
# Files of Google's model pages that were tried: SHA-256 -> name.
KNOWN = {
    "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff": "face_landmarker.task",
    "191ac9529ae506ee0beefa6b2c945a172dab9d07d1e802a290a4e4038226658b": "selfie_segmenter.tflite",
}
INSTALL = (
    f"pip install 'numpy<2' 'av<17' {WITH_MODELS} pillow scipy"
    if sys.version_info < (3, 13)
    else f"pip install 'av<17' {WITHOUT_MODELS} pillow scipy, and give "
    "--landmark-model face_landmarker.task --segmenter selfie_segmenter.tflite"
)


def check_packages() -> None:
    """MissingPackageError: it names every package that is not installed, or says why this MediaPipe
    may not run."""
    missing = [name for module, name in PACKAGES.items() if not find_spec(module)]
    if missing:
        raise MissingPackageError(f"preparing a video needs {', '.join(missing)}: {INSTALL}")
    from importlib import metadata  # slow, and Blender imports this file when it starts

    try:
        version = metadata.version("mediapipe")
    except metadata.PackageNotFoundError:  # a copy of one's own: nothing tells its version
        return
    if _numbers(version) >= SENDS_METRICS:
        raise MissingPackageError(
            f"mediapipe {version} contains code that sends usage metrics, as every version from "
            f"{'.'.join(map(str, SENDS_METRICS))} on, and is not run; {INSTALL}"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def unknown_models(named: Mapping[str, Path | None]) -> Iterator[str]:
    """A line for each model file of the user that is none of KNOWN. It is run all the same: there
    are newer ones, and people's own. named: files by the names of their options, which the line
    repeats. ArgumentError: a file cannot be read."""
    for option, path in named.items():
        if path is not None and (digest := _digest(option, path)) not in KNOWN:
            yield (
                f"{option} {path.name} is a file that was never tried here (SHA-256 {digest}); "
                "look at the report"
            )


def _digest(option: str, path: Path) -> str:
    try:
        return hash_of(path)
    except OSError as error:
        raise ArgumentError(f"{option} {path} cannot be read: {reason(error)}") from None
