"""The zip is built and validated by Blender's own tool, and installed as a user installs it."""

from __future__ import annotations

import subprocess
import tomllib
import zipfile
from pathlib import Path

import bpy
import pytest

from tests.support.blender import ROOT, clean_environment, python_here, voice, write_wav
from tests.support.waiting import LIMIT

PRODUCT = {"__init__.py", "README.md", "LICENSE", "blender_manifest.toml"}
HALVES = ("core/", "egstalker_blender/")

INSTALL = """
import importlib, os, sys
from pathlib import Path
import bpy
import addon_utils
archive, avatar, sound, out = sys.argv[1:]
name = "bl_ext.user_default.egstalker"
if not addon_utils.check("bl_pkg")[1]:
    addon_utils.enable("bl_pkg", default_set=True)
def step(text, result):
    print("STEP", text, result, flush=True)
bpy.ops.extensions.package_install_files(
    filepath=archive, repo="user_default", enable_on_install=True)
step("enabled", addon_utils.check(name)[1])
package = sys.modules[name]
folder = Path(package.__file__).parent
preferences = bpy.context.preferences.addons[name].preferences
step("preferences", preferences.engine)
preferences.engine = "builtin"
step("import", bpy.ops.egstalker.import_avatar(filepath=avatar))
step("link", bpy.ops.egstalker.link_sound_file(filepath=sound))
props = bpy.context.object.egstalker
props.range_source, props.frame_end, props.output_path = "OWN", 1, out
props.file_stem = "frame_"
step("bake", bpy.ops.egstalker.bake())
engines = importlib.import_module(name + ".egstalker_blender.engines")
step("engine", engines.status_line())
step("heavy", sorted({"torch", "numba", "librosa"} & set(sys.modules)))
written = sorted(p.name for p in folder.iterdir() if p.name != "__pycache__")
step("folder", written)
bpy.ops.preferences.addon_disable(module=name)
step("disabled", hasattr(bpy.types.Object, "egstalker"))
index = [r.module for r in bpy.context.preferences.extensions.repos].index("user_default")
bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id="egstalker")
step("gone", not folder.exists())
os._exit(0)
"""


def blender_ext(*args: object) -> str:
    """Output of Blender's extension tool; it runs without Blender itself."""
    scripts = Path(bpy.utils.system_resource("SCRIPTS"))
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    done = subprocess.run(
        python_here(tool, *args), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dist") / "egstalker.zip"
    text = blender_ext("build", "--source-dir", ROOT, "--output-filepath", path)
    assert "warn" not in text.lower()
    return path


def test_tree_and_zip_are_valid(archive: Path) -> None:
    for what in (ROOT, archive):
        assert "warn" not in blender_ext("validate", what).lower()


def test_the_zip_holds_the_product_and_nothing_else(archive: Path) -> None:
    names = {name for name in zipfile.ZipFile(archive).namelist() if not name.endswith("/")}
    strangers = {n for n in names if n not in PRODUCT and not n.startswith(HALVES)}
    assert not strangers
    assert not [n for n in names if "__pycache__" in n or n.endswith(".pyc")]
    present = {
        path.relative_to(ROOT).as_posix() for half in HALVES for path in (ROOT / half).rglob("*.py")
    }
    assert present <= names and {"__init__.py", "blender_manifest.toml"} <= names


def test_compiled_files_of_a_used_tree_stay_out(tmp_path: Path) -> None:
    """Blender imports the extension from the tree, and so leaves compiled files there."""
    tree = tmp_path / "tree"
    kept = {"__init__.py", "core/__init__.py", "egstalker_blender/jobs/__init__.py"}
    strangers = {"core/__pycache__/a.pyc", "egstalker_blender/jobs/__pycache__/b.pyc", "x/y.py"}
    for name in kept | strangers:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    manifest = tree / "blender_manifest.toml"
    manifest.write_bytes((ROOT / manifest.name).read_bytes())
    blender_ext("build", "--source-dir", tree, "--output-filepath", tmp_path / "x.zip")
    names = {n for n in zipfile.ZipFile(tmp_path / "x.zip").namelist() if not n.endswith("/")}
    assert names == {*kept, manifest.name}


def test_manifest_says_what_it_must() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert (manifest["id"], manifest["type"]) == ("egstalker", "add-on")
    assert "Blender" not in manifest["name"] and len(manifest["tagline"]) <= 64
    for text in (manifest["tagline"], *manifest["permissions"].values()):
        assert text[-1].isalnum()


def test_installed_used_and_removed(archive: Path, avatar_path: Path, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "voice.wav", voice(0.2))
    done = subprocess.run(
        python_here("-c", INSTALL, archive, avatar_path, sound, tmp_path / "out"),
        env=clean_environment(tmp_path / "profile"),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    steps = [line[5:] for line in done.stdout.splitlines() if line.startswith("STEP ")]
    top = {name for name in (*PRODUCT, "core", "egstalker_blender") if (ROOT / name).exists()}
    assert steps == [
        "enabled True",
        "preferences auto",
        "import {'FINISHED'}",
        "link {'FINISHED'}",
        "bake {'FINISHED'}",
        "engine builtin: numpy on CPU",
        "heavy []",
        f"folder {sorted(top)}",
        "disabled False",
        "gone True",
    ], done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["frame_0001.png"]
