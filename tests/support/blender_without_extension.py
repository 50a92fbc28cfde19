"""What a Blender without the extension makes of the files in a folder, as facts.json beside them.

It runs as a program: `python -m tests.support.blender_without_extension FOLDER`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from tests.support.blender import read_pixels
from tests.support.blender_compositor import passes_of
from tests.support.blender_film import clip, heard

FRAMES = (2, 4)
IMPORTERS: dict[str, tuple[str, ...]] = {
    "usdc": ("wm", "usd_import"),
    "ply": ("wm", "ply_import"),
    "glb": ("import_scene", "gltf"),
    "spz": ("wm", "spz_import"),
}


def start_empty() -> Any:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 25
    return bpy.context.scene


def imported(path: Path) -> list[dict[str, Any]]:
    """Type, number of points and colours of each object; moves: whether the points differ between
    frames. None where there is no importer."""
    scene = start_empty()
    group, name = IMPORTERS[path.suffix[1:]]
    operator = getattr(getattr(bpy.ops, group), name)
    try:
        operator.get_rna_type()
    except KeyError:
        return [{"type": "NO IMPORTER"}]
    operator(filepath=str(path))
    return [_facts(scene, obj) for obj in bpy.data.objects]


def _facts(scene: Any, obj: Any) -> dict[str, Any]:
    places = []
    for frame in FRAMES:
        scene.frame_set(frame)
        data = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        name = {"POINTCLOUD": "points", "MESH": "vertices"}.get(obj.type, "")
        points = getattr(data, name, ())
        flat = np.zeros(3 * len(points), np.float32)
        if name:
            data.attributes["position"].data.foreach_get("vector", flat)
        places.append(flat)
    attributes = [one.name for one in data.attributes] if name else []
    return {
        "type": getattr(data, "type", obj.type) if obj.type == "POINTCLOUD" else obj.type,
        "count": len(places[0]) // 3,
        "moves": bool(len(places[0]) and np.abs(places[0] - places[1]).max() > 0),
        "colours": [name for name in attributes if "radiance" in name or "col" in name.lower()],
    }


def picture(path: Path) -> dict[str, Any]:
    start_empty()
    alpha = read_pixels(path)[..., 3]
    return {"size": alpha.shape[::-1], "alpha": float(alpha.mean())}


def layers(path: Path, size: tuple[int, int]) -> dict[str, Any]:
    """Smallest and largest value of each pass."""
    folder = path.parent / "passes"
    found = passes_of(path, start_empty(), size, folder)
    return {name: (float(v[..., 0].min()), float(v[..., 0].max())) for name, v in found.items()}


def film(path: Path) -> dict[str, Any]:
    start_empty()
    count, _, size = clip(path)
    loud = np.abs(heard(path, path.parent, count)).max()
    return {"frames": count, "size": size, "loud": float(loud)}


def blend(path: Path) -> dict[str, Any]:
    """The avatars by what the views draw of them, the compositor's groups, and what a render has:
    its largest alpha."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    scene = bpy.context.scene
    scene.render.filepath = str(path.with_suffix(".png"))
    bpy.ops.render.render(write_still=True)
    return {
        "views": [obj.display_type for obj in scene.objects if "Shadow" not in obj.name],
        "groups": [group.name for group in bpy.data.node_groups],
        "alpha": float(read_pixels(path.with_suffix(".png"))[..., 3].max()),
    }


def main(folder: Path) -> None:
    assert not hasattr(bpy.types.Object, "egstalker")
    readers: tuple[tuple[str, Callable[[Path], Any]], ...] = (
        *((f"head.{kind}", imported) for kind in IMPORTERS),
        ("frame_0003.png", picture),
        ("plain_0003.exr", picture),
        ("film.mp4", film),
        ("native.blend", blend),
        ("layer.blend", blend),
    )
    facts = {name: read(folder / name) for name, read in readers}
    size = facts["frame_0003.png"]["size"]
    facts["layers_0003.exr"] = layers(folder / "layers_0003.exr", tuple(size))
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)  # Blender can hang at exit
