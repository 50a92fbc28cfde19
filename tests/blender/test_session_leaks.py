"""Enabling and disabling the installed zip twenty times prints nothing and leaves nothing.

A separate Blender counts what an extension can leave: classes, properties, operators, menu entries,
handlers, timers, draw handlers, threads, processes, temporary folders, data-blocks, splats.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import bpy
import pytest

from tests.support.blender import ROOT, clean_environment, python_here, voice, write_wav

TIMES = 20
LIMIT = 600.0  # seconds, on a busy machine

COUNTS = """
import gc, importlib, json, os, sys, tempfile, threading, types
from pathlib import Path
import bpy
import addon_utils

archive, avatar, sound, times = sys.argv[1:4] + [int(sys.argv[4])]
NAME = "bl_ext.user_default.egstalker"


def is_ours(thing):
    return str(getattr(thing, "__module__", "") or "").startswith(NAME)


def modules():
    return [m for n, m in list(sys.modules.items()) if n == NAME or n.startswith(NAME + ".")]


def functions():
    gc.collect()
    return [f for f in gc.get_objects() if isinstance(f, types.FunctionType) and is_ours(f)]


def handlers():
    found = []
    for name in dir(bpy.app.handlers):
        value = getattr(bpy.app.handlers, name)
        if isinstance(value, list):
            found += [f"{name}: {f.__module__}.{f.__name__}" for f in value if is_ours(f)]
    return sorted(found)


def timers():
    return sorted({f"{f.__module__}.{f.__name__}" for f in functions()
                   if bpy.app.timers.is_registered(f)})


def menu_entries():
    found = []
    for name in dir(bpy.types):
        draw = getattr(getattr(bpy.types, name, None), "draw", None)
        found += [name for f in getattr(draw, "_draw_funcs", []) if is_ours(f)]
    return found


def types_with_ours():
    found = []
    for name in dir(bpy.types):
        cls = getattr(bpy.types, name)
        if "egstalker" in name.lower():
            found.append(name)
        rna = getattr(cls, "bl_rna", None)
        found += [f"{name}.{p}" for p in (rna.properties.keys() if rna else ())
                  if p.startswith("egstalker")]
    return sorted(found)


def operators():
    return sorted(name for name in dir(bpy.ops.egstalker))


def capsules(value, depth=0):
    '''Handles of draw callbacks, in the globals of our modules.'''
    if type(value).__name__ == "PyCapsule":
        return [value]
    if depth > 3:
        return []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, set)):
        return [c for item in value for c in capsules(item, depth + 1)]
    if is_ours(value) and hasattr(value, "__dict__") and not isinstance(value, type):
        return capsules(vars(value), depth + 1)
    return []


def draw_handles():
    return [c for m in modules() for c in capsules(vars(m))]


def children():
    here = os.getpid()
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == here:
                found.append(path.parent.name)
        except (OSError, ValueError):
            continue
    return found


def data():
    return {n: len(getattr(bpy.data, n)) for n in ("objects", "meshes", "images", "texts",
                                                   "scenes", "sounds", "cameras", "actions")}


def counts():
    return {
        "types": types_with_ours(), "operators": operators(), "menus": menu_entries(),
        "handlers": handlers(), "timers": timers(), "data": data(),
        "threads": sorted(t.name for t in threading.enumerate()), "children": children(),
        "folders": sorted(n for n in os.listdir(tempfile.gettempdir()) if "egstalker" in n),
    }


def live():
    '''What an animator does while it is enabled: a head, a voice, frames, an engine.'''
    bpy.ops.egstalker.import_avatar(filepath=avatar)
    obj = bpy.context.object
    bpy.ops.egstalker.link_sound_file(filepath=sound)
    obj.egstalker.output_path = str(Path(sound).parent / "out")
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 1
    for frame in (1, 2, 3):
        scene.frame_set(frame)
    bpy.ops.egstalker.bake(engine="worker", worker_python=sys.executable)
    stage = importlib.import_module(NAME + ".egstalker_blender.viewport.stage")
    core = importlib.import_module(NAME + ".core.avatar.file")
    gaussians = importlib.import_module(NAME + ".core.records.gaussians")
    stage.put(obj.session_uid, gaussians.activate(core.load_avatar(Path(avatar)).gaussians))


if not addon_utils.check("bl_pkg")[1]:
    addon_utils.enable("bl_pkg", default_set=True)
bpy.ops.wm.read_factory_settings(use_empty=True)
clean = counts()
bpy.ops.extensions.package_install_files(
    filepath=archive, repo="user_default", enable_on_install=True)
bpy.ops.preferences.addon_disable(module=NAME)
print("BEGIN", flush=True)
print("BEGIN", file=sys.stderr, flush=True)
first = None
for turn in range(times):
    bpy.ops.preferences.addon_enable(module=NAME)
    enabled = counts()
    first = first or enabled
    assert enabled == first, (turn, enabled, first)
    handles = draw_handles()
    if turn in (0, times - 1):
        live()
    alive = [len(children()), len(handles), len(handlers())]
    bpy.ops.preferences.addon_disable(module=NAME)
    kept = [h for h in handles if "REMOVED" not in repr(h) and "invalid" not in repr(h)]
    assert handles and not kept, handles
    stage = sys.modules.get(NAME + ".egstalker_blender.viewport.stage")
    assert stage is None or not stage.shown(), "the stage keeps splats"
    bpy.ops.wm.read_factory_settings(use_empty=True)
print("END", flush=True)
print("END", file=sys.stderr, flush=True)
print("RESULT", json.dumps({"clean": clean, "after": counts(), "alive": alive, "on": first}))
sys.stdout.flush()
sys.exit(0)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dist") / "egstalker.zip"
    scripts = Path(bpy.utils.system_resource("SCRIPTS"))
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    command = python_here(tool, "build", "--source-dir", ROOT, "--output-filepath", path)
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT)
    return path


def said(text: str) -> str:
    """The output between BEGIN and END."""
    return text.partition("BEGIN\n")[2].partition("END\n")[0]


def test_twenty_times_on_and_off_leave_nothing(
    archive: Path, avatar_path: Path, tmp_path: Path
) -> None:
    sound = write_wav(tmp_path / "voice.wav", voice(0.2))
    (tmp_path / "temp").mkdir()
    done = subprocess.run(
        python_here("-c", COUNTS, archive, avatar_path, sound, TIMES),
        env=clean_environment(
            tmp_path / "profile",
            TMPDIR=str(tmp_path / "temp"),
            XDG_CACHE_HOME=str(tmp_path / "cache"),
        ),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    lines = [line[7:] for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    result = json.loads(lines[0])
    assert result["after"] == result["clean"]
    assert result["on"]["types"] and result["on"]["operators"] and result["on"]["handlers"]
    assert result["on"]["menus"]
    assert result["alive"][0] == 1  # the worker; a count that finds nothing proves nothing
    for text in (said(done.stdout), said(done.stderr)):
        words = [line for line in text.splitlines() if not line.startswith(("Info: ", "EGL"))]
        assert words == [], words
    errors = done.stderr.rpartition("END\n")[2]
    assert "Error" not in errors and "Traceback" not in errors, errors
    assert done.returncode == 0
    left = [path.name for path in (tmp_path / "temp").iterdir() if "egstalker" in path.name]
    assert left == []
