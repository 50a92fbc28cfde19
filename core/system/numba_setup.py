"""numba, and the folder for its compiled code.

By default numba writes next to the source, but nothing may be written into the extension's folder.
Here it writes to NUMBA_CACHE_DIR or the user's cache folder, one folder for each version of the
compiled sources: numba itself does not notice a changed helper in another file. Folders of versions
that did not start for a month are deleted.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MissingPackageError
from .folders import cache_folder
from .trim import touch, trim_folders

try:
    import numba
    from llvmlite import binding
    from numba import config
except ImportError as error:
    raise MissingPackageError(
        f"the fast CPU engine needs the package numba ({error}): pip install numba"
    ) from error


OF_SOURCES = re.compile("[0-9a-f]{16}")  # the name of a folder


def compiled_sources() -> list[Path]:
    """Every source of compiled code: the folders and files named numba, and the folders whose
    constants are compiled in."""
    core = Path(__file__).parents[1]
    patterns = (
        "**/numba/*.py", "**/*numba*.py", "render/*.py", "network/*.py", "network/numpy/*.py",
        "records/*.py", "metrics/pictures.py",
    )  # fmt: skip
    return sorted({path for pattern in patterns for path in core.glob(pattern)})


def _prepare_cache() -> bool:
    """Point numba to a writable folder; False if there is none."""
    # Compiled code names the modules it came from, and the same files are imported under several
    # names: as part of Blender's extension, and as `core` by the worker.
    digest = hashlib.sha256(__name__.encode())
    for source in compiled_sources():
        digest.update(source.read_bytes())
    try:
        chosen = os.environ.get("NUMBA_CACHE_DIR")
        base = Path(chosen) if chosen else cache_folder() / "numba"
        folder = base / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        touch(folder)
        trim_folders(base, OF_SOURCES, folder)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return False
    config.CACHE_DIR = str(folder)
    return True


def _has_avx512() -> bool:
    """True if the CPU that numba compiles for has AVX-512; NUMBA_CPU_FEATURES may name another
    CPU."""
    if config.CPU_FEATURES is not None:
        return "+avx512f" in config.CPU_FEATURES.split(",")
    return bool(binding.get_host_cpu_features().get("avx512f"))


WIDE = _has_avx512()  # a vector of 16 floats is one register
CACHED = _prepare_cache()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call, or load from the cache; other Python threads run meanwhile."""
    result: Callable[..., Any] = numba.njit(nogil=True, cache=CACHED, error_model="numpy")(function)
    return result


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Inline into each compiled caller: for a small step of an inner loop that kernels share."""
    result: Callable[..., Any] = numba.njit(inline="always", error_model="numpy")(function)
    return result
