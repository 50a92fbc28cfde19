"""F-curves of an object's properties, read without stepping the scene. The only module that knows
both Blender's layered actions (since 4.4) and the older flat ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy


def curves_of(obj: Any, prefix: str) -> dict[str, Any] | None:
    """The F-curves of `obj`'s properties whose data path begins with `prefix`, by the rest of the
    path. None where not only plain F-curves may animate them (drivers, NLA, layers, a blended
    action): then only the depsgraph knows the values. Use them at once: an undo frees them."""
    data = obj.animation_data
    if data is None:
        return {}
    if any(_is_active(driver) and driver.data_path.startswith(prefix) for driver in data.drivers):
        return None
    if _uses_nla(data):
        return None
    curves = _curves_of_action(data.action, data)
    plain = data.action_influence == 1.0 and data.action_blend_type == "REPLACE"
    if curves is None or not plain:
        return None
    return {
        curve.data_path.removeprefix(prefix): curve
        for curve in curves
        if curve.data_path.startswith(prefix) and _is_active(curve)
    }


def stands_still(obj: Any, prefix: str) -> bool:
    """True where neither the object nor a parent is animated, constrained or simulated, so that its
    place is the same at every frame. Animated properties below the data path `prefix` do not
    count."""
    while obj is not None:
        data = obj.animation_data
        if data is not None and not _animates_nothing_else(data, prefix):
            return False
        if obj.constraints or obj.rigid_body or obj.parent_type != "OBJECT":
            return False
        obj = obj.parent
    return True


def _animates_nothing_else(data: Any, prefix: str) -> bool:
    curves = None if _uses_nla(data) else _curves_of_action(data.action, data)
    if curves is None:
        return False
    moving = (curve for curve in [*curves, *data.drivers] if _is_active(curve))
    return all(curve.data_path.startswith(prefix) for curve in moving)


def replace_curves(obj: Any, values: Mapping[str, tuple[Sequence[float], Any]]) -> None:
    """Replace the object's F-curves of whole vector properties; its other curves stay. values: by
    property, the times (F,) and the values (F, n), linear between them."""
    bag = _writable_bag(obj)
    for path, (times, rows) in values.items():
        for curve in [curve for curve in bag.fcurves if curve.data_path == path]:
            bag.fcurves.remove(curve)
        for index, column in enumerate(zip(*rows, strict=True)):
            curve = bag.fcurves.new(path, index=index)
            curve.keyframe_points.add(len(times))
            pairs = [number for pair in zip(times, column, strict=True) for number in pair]
            curve.keyframe_points.foreach_set("co", pairs)
            for point in curve.keyframe_points:
                point.interpolation = "LINEAR"
            curve.update()


def _writable_bag(obj: Any) -> Any:
    """The curves of the object's own slot in its action, all of them made where they are not
    there."""
    data = obj.animation_data or obj.animation_data_create()
    action = data.action
    if action is None:
        action = data.action = bpy.data.actions.new(f"{obj.name}Action")
    if data.action_slot is None:
        data.action_slot = action.slots.new("OBJECT", obj.name)
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(data.action_slot, ensure=True)


def scene_time(scene: Any, frame: float) -> float:
    """The time at which Blender evaluates F-curves for a scene frame. It differs from the frame
    only with time stretching."""
    render = scene.render
    return frame * (render.frame_map_old / render.frame_map_new)


def _is_active(curve: Any) -> bool:
    # Blender evaluates the curves of a muted group, too (4.5 to 5.3).
    return curve.is_valid and not curve.is_empty and not curve.mute


def _uses_nla(data: Any) -> bool:
    if data.use_tweak_mode:
        return True
    return data.use_nla and any(not track.mute and track.strips for track in data.nla_tracks)


def _curves_of_action(action: Any, data: Any) -> list[Any] | None:
    if action is None:
        return []
    if not getattr(action, "is_action_layered", False):
        return list(action.fcurves) if hasattr(action, "fcurves") else []
    slot = data.action_slot
    if slot is None:
        return []
    strips = [strip for layer in action.layers for strip in layer.strips]
    if len(strips) > 1 or any(strip.type != "KEYFRAME" for strip in strips):
        return None
    bags = [strip.channelbag(slot) for strip in strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]
