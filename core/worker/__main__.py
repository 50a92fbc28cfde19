"""`python -m core.worker`: serves the client through stdin and stdout until it disconnects."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

from ..errors import EgsError
from ..system import memory

if TYPE_CHECKING:
    import threading
    from pathlib import Path

# Other modules are imported where they are used, because they may not fit into memory.

GRACE = 10.0  # seconds for the current frame after the client has gone


def main() -> None:
    memory.end_without_threads()
    # The pipes get their own file descriptors; a stray print or a library's output goes to the log.
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        _serve(source, sink)
    except Exception as error:
        failure = memory.known(error)
        if failure is None:
            raise
        sys.stderr.write(f"error: {failure}\n")
        _report(failure, sink)
        os._exit(1)
    os._exit(0)  # whatever a GPU library's own threads still do


def _report(failure: EgsError, sink: BinaryIO) -> None:
    try:
        from .protocol import encode, error_message

        sink.write(encode(error_message(0, failure)))
        sink.flush()
    except (MemoryError, ImportError, OSError, SyntaxError):
        pass  # the client sees that this process has ended


def _serve(source: BinaryIO, sink: BinaryIO) -> None:
    import signal
    import threading

    # Ctrl-C in a terminal and a farm's SIGTERM reach the whole group; the client decides and sends
    # a cancel, or is gone: then its end of the pipe closes.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    from .server import Server

    server = Server(source, sink)
    threading.Thread(target=_leave, args=(server.ended,), daemon=True).start()
    server.run()
    _tidy(server.folder)


def _tidy(folder: Path) -> None:
    """Remove the client's private folder, which a killed client leaves behind: the folder that this
    process was started in, and no other."""
    import shutil
    from pathlib import Path

    from ..system.leftovers import FOLDER_PREFIX

    if folder.name.startswith(FOLDER_PREFIX) and folder.is_dir() and folder.samefile(Path.cwd()):
        os.chdir(folder.parent)
        shutil.rmtree(folder, ignore_errors=True)


def _leave(ended: threading.Event) -> None:
    """A frame that takes for ever must not outlive the client."""
    import time

    ended.wait()
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
