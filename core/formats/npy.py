"""The header of a .npy file: shape, order and type of the numbers that follow it; the arrays of a
.npz."""

from __future__ import annotations

import tokenize
import warnings
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.lib import format as layout
from numpy.typing import NDArray

from ..system.archives import ZIP_ERRORS

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]

# Version 3 differs from 2 only in the encoding of field names, which plain arrays do not have.
READERS: dict[tuple[int, int], Callable[[IO[bytes]], Header]] = {
    (1, 0): layout.read_array_header_1_0,
    (2, 0): layout.read_array_header_2_0,
    (3, 0): layout.read_array_header_2_0,
}

HEADER_ERRORS = (
    *(ValueError, EOFError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError),
    tokenize.TokenError,  # numpy reads headers of Python 2 token by token
)


def read_header(file: IO[bytes]) -> Header:
    """(shape, True for Fortran order, type). `file` is then at the first number. No number is read
    and no memory is allocated: compare the shape with the file's size first. ValueError if the
    header is not valid. Sizes may be negative."""
    try:
        version = layout.read_magic(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, about headers of Python 2
            return READERS[version](file)
    except HEADER_ERRORS:
        raise ValueError("no .npy header") from None


def read_arrays(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    """Every array of a .npz, by its name. No pickles; the caller has compared what the archive
    unpacks to with what it takes. ValueError if it is damaged, or is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as above
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except (*ZIP_ERRORS, *HEADER_ERRORS, AttributeError):  # AttributeError: it is a .npy
        raise ValueError("no .npz of arrays") from None
