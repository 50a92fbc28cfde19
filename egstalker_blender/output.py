"""Where a head's frames go: its folder and the start of its file names.

`{object}` and `{scene}` in them stand for the names of the head, or its instance, and the scene,
made safe for every operating system. The defaults hold `{object}`, so that two heads never write
the same files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bpy

from ..core.errors import ArgumentError
from ..core.system.names import distinct_names, safe_name
from .paths import absolute
from .placed import Placed, places

OBJECT, SCENE = "{object}", "{scene}"
Names = Mapping[tuple[Any, str], str]  # (avatar, instance) -> name of its files
STEM = "frame_"  # where there is one head and its name is not chosen


def output_of(
    scene: Any, obj: Any, instance: str = "", there: Sequence[Placed] | None = None
) -> tuple[Path, str]:
    """Folder of the head's frames, and the start of their names. instance: see placed.Placed. A
    head of a library writes beside the open .blend, not beside the library. there: placed.places of
    the scene, if they are known. ArgumentError where the frames of another head, or of the same
    head in another scene, would be overwritten."""
    props = obj.egstalker
    there = places(scene) if there is None else there
    names = _names(there)
    mine = _files(scene, obj, instance, names)
    for other in there:
        theirs = _files(scene, other.obj, other.instance, names)
        same = other.obj == obj and instance in ("", other.instance)
        if not same and _key(*theirs, other.obj) == _key(*mine, obj):
            raise ArgumentError(
                f"{instance or obj.name!r} and {other.name!r} write the same files; put {OBJECT} "
                "into Output or Name, or choose another folder"
            )
    if SCENE not in props.output_path + props.file_stem:
        for other in obj.users_scene:
            if other != scene:
                raise ArgumentError(
                    f"{obj.name!r} is in the scenes {scene.name!r} and {other.name!r}, which write "
                    f"the same files; put {SCENE} into Output or Name"
                )
    return absolute(mine[0]), mine[1]


def output_in(
    folder: Path, scene: Any, obj: Any, own_folder: bool, instance: str = ""
) -> tuple[Path, str]:
    """The same for a folder that is chosen for all heads at once; own_folder: in a folder of the
    head's name below it. A name that the head's settings choose stays."""
    names = _names(places(scene))
    name = _name_of(obj, instance, names)
    stem = f"{name}_" if own_folder else STEM
    if obj.egstalker.is_property_set("file_stem"):
        stem = _files(scene, obj, instance, names)[1]
    return (folder / name if own_folder else folder), stem


def _files(scene: Any, obj: Any, instance: str, names: Names) -> tuple[str, str]:
    """Folder, as Blender writes it, and stem."""
    props = obj.egstalker
    name, scene_name = _name_of(obj, instance, names), safe_name(scene.name)

    def filled(text: str) -> str:
        return text.replace(OBJECT, name).replace(SCENE, scene_name)

    return filled(props.output_path), filled(props.file_stem)


def _names(there: Sequence[Placed]) -> Names:
    """The names of all heads of the scene and their instances, distinct whatever is baked."""
    heads = [Placed(avatar) for avatar in dict.fromkeys(placed.obj for placed in there)]
    heads += [placed for placed in there if placed.instance]
    names = distinct_names([head.name for head in heads])
    return {(head.obj, head.instance): name for head, name in zip(heads, names, strict=True)}


def _name_of(obj: Any, instance: str, names: Names) -> str:
    return names.get((obj, instance)) or safe_name(instance or obj.name)


def _key(folder: str, stem: str, obj: Any) -> tuple[str, str, str]:
    """Equal for the same files, also where upper and lower case are one."""
    path = bpy.path.native_pathsep(bpy.path.abspath(folder)).rstrip("/\\")
    return path.casefold(), stem.casefold(), obj.egstalker.file_format.partition("-")[0]
