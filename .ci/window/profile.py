"""Inside `blender -b`: install and enable the zip, and save the settings of a scripted session."""

from __future__ import annotations

import sys
from pathlib import Path

import addon_utils
import bpy

EXTENSION = "bl_ext.user_default.egstalker"


def main(archive: Path) -> None:
    if not addon_utils.check("bl_pkg")[1]:
        addon_utils.enable("bl_pkg", default_set=True)
    bpy.ops.extensions.package_install_files(
        filepath=str(archive), repo="user_default", enable_on_install=True
    )
    if not addon_utils.check(EXTENSION)[1]:
        raise SystemExit(f"{EXTENSION} is not enabled after the install")
    preferences = bpy.context.preferences
    preferences.view.show_splash = False  # it covers the viewport
    preferences.view.show_developer_ui = False
    preferences.filepaths.use_auto_save_temporary_files = False
    preferences.use_preferences_save = False
    bpy.ops.wm.save_userpref()


if __name__ == "__main__":
    main(Path(sys.argv[sys.argv.index("--") + 1]))
