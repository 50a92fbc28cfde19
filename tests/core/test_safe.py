"""What docs/SECURITY.md promises of archives, temporary files and helper processes."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from core.dataset.features import read_stats
from core.engine.process import worker_environment
from core.engine.shared_files import SharedFiles
from core.errors import DatasetError, InputError
from core.metrics.lpips_weights import MAX_BYTES, find_weights


def bomb(path: Path, member: str, size: int) -> Path:
    """An archive of a thousandth of what it unpacks to."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(member, "w") as file,
    ):
        for start in range(0, size, 2**20):
            file.write(bytes(min(2**20, size - start)))
    return path


def test_archives_unpack_no_further_than_their_limit(tmp_path: Path) -> None:
    path = bomb(tmp_path / "a.npz", "mean.npy", MAX_BYTES + 1)
    assert path.stat().st_size < MAX_BYTES / 500
    with pytest.raises(InputError, match="unpacks to 67 MB"):
        find_weights(path)
    with pytest.raises(DatasetError, match="not a valid"):
        read_stats(path)


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are POSIX")
def test_temporary_folders_are_private() -> None:
    files = SharedFiles()
    try:
        assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    finally:
        files.close()
    assert not files.folder.exists()


def test_the_worker_inherits_no_python_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, str(tmp_path))
    found = {k: v for k, v in worker_environment().items() if k.startswith("PYTHON")}
    assert str(tmp_path) not in found.values()
    assert found["PYTHONSAFEPATH"] == "1"
    assert found.keys() == {
        "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING"}  # fmt: skip
    assert Path(found["PYTHONPATH"]).is_dir() and os.pathsep not in found["PYTHONPATH"]
