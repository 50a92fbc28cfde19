"""The digest that names numba's cache covers all that is compiled into it."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.sources import ROOT, imported, module_name, sources


def test_every_compiled_loop_is_in_the_digest_of_numbas_cache() -> None:
    """A file that the digest misses would leave stale machine code in use, silently."""
    setup = "core/system/numba_setup.py"
    compiled = {
        path
        for path, tree in sources("core").items()
        if any(name.startswith("core.system.numba") for name in imported(path, tree.body))
        or path == setup
    }
    patterns = ("core/*/numba/*.py", "core/*numba*.py")
    assert len(compiled) > 10
    missed = {path for path in compiled if not any(fnmatch(path, pattern) for pattern in patterns)}
    assert missed == set(), f"name them to compiled_sources() of {setup}"
    assert {Path(path).name for path in compiled} >= {"blend.py", "blend_back.py", "ssim.py"}


def test_every_constant_that_is_compiled_in_is_in_the_digest_too() -> None:
    """numba takes the value of a constant when it compiles, and does not check it again."""
    numba_setup = pytest.importorskip("core.system.numba_setup", reason="numba is not installed")
    digested = {path.relative_to(ROOT).as_posix() for path in numba_setup.compiled_sources()}
    files = {module_name(path): path for path in sources("core")}
    missed = set()
    for path, tree in sources("core").items():
        if "/numba/" in path:
            for name in imported(path, tree.body):
                module, _, last = name.rpartition(".")
                if last.isupper() and module in files and files[module] not in digested:
                    missed.add(name)
    assert missed == set()
