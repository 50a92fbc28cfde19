"""A fake of the worker's Python for the Train panel: it prints the output of `train` and `prepare`.

Run as a script: `training_fake.py -m core train DATASET OUT ... --json`, or `-c CODE NAMES` for the
question about packages. Words in EGS_FAKE control it. Standard library alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

WORDS = os.environ.get("EGS_FAKE", "").split()
AVATAR = os.environ.get("EGS_FAKE_AVATAR", "")  # what a training ends with
PICTURES = os.environ.get("EGS_FAKE_PICTURES", "")  # a folder of previews
GATES = os.environ.get("EGS_FAKE_GATES", "")  # a folder of gates, see waiting.Gate
PAUSE = float(os.environ.get("EGS_FAKE_PAUSE", "0"))  # seconds between two lines
FINDINGS = (("face size", "bad"), ("noise", "fair"), ("length", "fair"), ("blinks", "fair"))
HANG = 600  # seconds, longer than any test waits
STEPS = int(os.environ.get("EGS_FAKE_STEPS", "5"))


def say(event: str, **values: object) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def pass_gate(stage: str) -> None:
    """Wait in that stage until the test opens its gate, if it has one."""
    gate = Path(GATES) / stage
    if GATES and gate.exists():
        gate.open().close()


def fail(text: str, code: int) -> None:
    print(text, file=sys.stderr, flush=True)
    sys.exit(code)


def write_png(path: Path, width: int = 32, height: int = 32) -> None:
    rows = b"".join(
        b"\0" + b"".join(bytes((3 * x, 3 * y, 90)) for x in range(width)) for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def write_preview(work: Path, step: int) -> None:
    found = sorted(Path(PICTURES).glob("*.*g")) if PICTURES else []  # .jpg, .png
    if found:
        chosen = found[step % len(found)]
        path = work / f"preview_{step:06d}{chosen.suffix}"
        shutil.copyfile(chosen, path)
    else:
        path = work / f"preview_{step:06d}.png"
        write_png(path)
    say("saved", what="preview", path=str(path))


def train(arguments: list[str]) -> None:
    output = Path(arguments[1])
    work = Path(arguments[arguments.index("--work") + 1])
    (work / "arguments.json").write_text(json.dumps(arguments), encoding="utf-8")
    say("start", what="train", dataset=arguments[0])
    misbehave(work)
    for stage in ("static", "motion"):
        for step in range(STEPS + 1):
            if (work / "stop").exists() and "deaf" not in WORDS:
                (work / "state.safetensors").write_bytes(b"state")
                say("saved", what="state", path=str(work / "state.safetensors"))
                fail("stopped", 130)
            say(
                "progress", what=stage, done=step, total=STEPS,
                stage=stage, step=step, steps=STEPS, seconds=step * PAUSE,
                remaining=(STEPS - step) * PAUSE, loss=0.2 / (1 + step),
                psnr=20 + 10 * step / STEPS, gaussians=20000 + 10 * step,
            )  # fmt: skip
            if step % 5 == 0:
                write_preview(work, step)
            if step == 0:
                pass_gate(stage)
            time.sleep(PAUSE)
    (work / "state.safetensors").write_bytes(b"state")
    say("saved", what="state", path=str(work / "state.safetensors"))
    if "lost" not in WORDS:
        shutil.copyfile(AVATAR, output)
    say("done", path=str(output), psnr=31.25)


def misbehave(work: Path) -> None:
    if "noise" in WORDS:
        print("a library says hello", flush=True)
        print('{"event": "progress", "stage": ', flush=True)
        print('[1, 2]\n{"event": 7}\n{"event": "unheard of"}', flush=True)
        print('{"event": "progress", "stage": "static", "step": "x", "steps": NaN}', flush=True)
        print("[" * 100000, flush=True)
        sys.stdout.buffer.write(b"\xff\xfe\x00\n")
        print("x" * 3_000_000, flush=True)
        say("note", text="two frames\nhave no landmarks")
    if "error" in WORDS:
        fail("a library warns\nerror: clip/ori_imgs holds no frame; prepare it again\nbye", 2)
    if "crash" in WORDS:
        raise ValueError("a defect")
    if "killed" in WORDS:
        os.kill(os.getpid(), signal.SIGKILL)
    if "nothing" in WORDS:
        sys.exit(0)
    if "orphan" in WORDS:
        child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({HANG})"])
        (work / "orphan").write_text(str(child.pid))
        fail("error: the parent ends first", 1)
    if "deaf" in WORDS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "silent" in WORDS:
        time.sleep(HANG)


def prepare(arguments: list[str]) -> None:
    folder = Path(arguments[1])
    if "no-face" in WORDS:
        fail(f"error: {arguments[0]} shows no face in any frame; choose another video", 2)
    for done in range(STEPS + 1):
        say("progress", what="landmarks", done=done, total=STEPS, step="landmarks")
        if done == 0:
            pass_gate("landmarks")
        time.sleep(PAUSE)
    folder.mkdir(exist_ok=True)
    write_png(folder / "prepare_report.png")
    say("saved", what="picture", path=str(folder / "prepare_report.png"))
    for name, grade in FINDINGS:
        say("note", text=f"{name} is {grade}", finding={
            "name": name, "grade": grade, "value": 9.5, "unit": "px",
            "text": f"The {name} is 9.5 px.", "advice": "Use another film."})  # fmt: skip
    page = folder / "prepare_report.html"
    page.write_text("<p>findings</p>")
    say("saved", what="page", path=str(page))
    say("done", path=str(folder))


def main(arguments: list[str]) -> None:
    if arguments[0] == "-c":  # which of these packages are missing?
        wanted = (*arguments[2:], "mediapipe.modules")
        print(*[name for name in wanted if f"no-{name}" in WORDS])
        return
    assert arguments[:2] == ["-m", "core"] and arguments[-1] == "--json"
    try:
        {"train": train, "prepare": prepare}[arguments[2]](arguments[3:-1])
    except KeyboardInterrupt:
        fail("stopped", 130)


if __name__ == "__main__":
    main(sys.argv[1:])
