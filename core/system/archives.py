"""What reading an archive raises that is cut off, damaged, encrypted or none."""

from __future__ import annotations

import struct
import zipfile
import zlib

ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, OSError, RuntimeError, ValueError),
)
