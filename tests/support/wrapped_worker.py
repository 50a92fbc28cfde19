"""A worker's interpreter that misbehaves at a frame that the test chooses."""

from __future__ import annotations

import sys
from pathlib import Path

# The first life, and no later one, makes three frames at most.
STOPS = """
first = not os.path.exists("lived")
open("lived", "w").close()
every_frame(lambda n: first and n > 3 and time.sleep(600))
"""

# It dies at a frame once there is a file `stop`, for which the fourth frame waits.
DIES = """
def dies(count):
    while count > 3 and not os.path.exists("stop"):
        time.sleep(0.01)
    if os.path.exists("stop"):
        os._exit(7)

every_frame(dies)
"""

# The third frame waits until a cancel has been read.
WAITS = """
import threading
import core.worker.server as server

cancelled = threading.Event()

def watched(source, read=server.read_message, kinds=[]):
    if "cancel" in kinds:  # it was handled, since the next message is wanted
        cancelled.set()
    message = read(source)
    kinds.append(message and message["type"])
    return message

server.read_message = watched
every_frame(lambda n: n > 2 and cancelled.wait())
"""


def wrapped(tmp_path: Path, code: str) -> Path:
    """An interpreter that runs `code` after the core is imported and then serves as a worker.
    In it, every_frame(function) calls function(count) before each frame."""
    script = tmp_path / "python"
    script.write_text(
        f"""#!{sys.executable}
import os, sys, time
import core.bake.loop as bake
from core.worker.__main__ import main

def every_frame(function, stage=bake.stage_image, count=[0]):
    def wrapper(*arguments):
        count[0] += 1
        function(count[0])
        return stage(*arguments)
    bake.stage_image = wrapper

{code}
main()
"""
    )
    script.chmod(0o755)
    return script
