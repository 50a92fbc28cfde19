"""`python -m core.worker`: serves the client through stdin and stdout until it disconnects."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from ..system import memory
from ..system.leftovers import FOLDER_PREFIX
from .protocol import encode, error_message

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
    # Ctrl-C in a terminal and a farm's SIGTERM reach the whole group; the client decides and sends
    # a cancel, or is gone: then its end of the pipe closes.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        _serve(source, sink)
    except Exception as error:
        failure = memory.known(error)
        if failure is None:
            raise
        sys.stderr.write(f"error: {failure}\n")
        sink.write(encode(error_message(0, failure)))
        sink.flush()
        os._exit(1)
    os._exit(0)  # whatever a GPU library's own threads still do


def _serve(source: BinaryIO, sink: BinaryIO) -> None:
    from .server import Server  # here, because numpy may not fit into memory

    server = Server(source, sink)
    threading.Thread(target=_leave, args=(server.ended,), daemon=True).start()
    server.run()
    _tidy(server.folder)


def _tidy(folder: Path) -> None:
    """Remove the client's private folder, which a killed client leaves behind: the folder that this
    process was started in, and no other."""
    if folder.name.startswith(FOLDER_PREFIX) and folder.is_dir() and folder.samefile(Path.cwd()):
        os.chdir(folder.parent)
        shutil.rmtree(folder, ignore_errors=True)


def _leave(ended: threading.Event) -> None:
    """A frame that takes for ever must not outlive the client."""
    ended.wait()
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
