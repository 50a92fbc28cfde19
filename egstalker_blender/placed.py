"""The heads of a scene at their places: an avatar stands where its object does, or once for each
object of the scene that instances it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .properties import active_avatar, avatars_in, instanced_by, is_avatar, order_of


@dataclass(frozen=True)
class Placed:
    """obj: the avatar. instance: the name of the object whose instance of it is meant; empty for
    the avatar's own place, or the only one. shared: that object instances other avatars, too."""

    obj: Any
    instance: str = ""
    shared: bool = False

    @property
    def name(self) -> str:
        """By which users choose it, and its files are named."""
        if self.shared:
            return f"{self.instance}/{self.obj.name}"
        return self.instance or str(self.obj.name)


def places(scene: Any) -> list[Placed]:
    """Every avatar of the scene, once for each of its places; hidden ones, too."""
    there = _by_avatar(scene)
    return [placed for avatar in sorted(there, key=order_of) for placed in there[avatar]]


def places_of(scene: Any, avatar: Any) -> list[Placed]:
    """The places of one of its avatars."""
    return _by_avatar(scene).get(avatar, [])


def rendered_places(scene: Any, there: Iterable[Placed] | None = None) -> list[Placed]:
    """What *Bake All* and a command line that names no head bake: all that is not disabled in
    renders. The training camera sees an avatar from everywhere alike, so there it is one. there:
    `places` of the scene, if they are known."""
    found = []
    for placed in places(scene) if there is None else there:
        by = scene.objects[placed.instance] if placed.instance else placed.obj
        if placed.obj.hide_render or by.hide_render:
            continue
        if placed.obj.egstalker.camera_source != "scene":
            placed = Placed(placed.obj)
        if placed not in found:
            found.append(placed)
    return found


def named_places(scene: Any, names: Iterable[str]) -> tuple[list[Placed], list[str]]:
    """The places that are meant by the names of avatars, of objects that instance them, or of
    places; and the names that mean nothing."""
    known: dict[str, list[Placed]] = {avatar.name: [Placed(avatar)] for avatar in avatars_in(scene)}
    for obj in scene.objects:
        if inner := _instances_by(obj):
            known[obj.name] = inner
            known |= {placed.name: [placed] for placed in inner}
    names = list(dict.fromkeys(names))
    found = [placed for name in names for placed in known.get(name, [])]
    return list(dict.fromkeys(found)), [name for name in names if name not in known]


def active_place(context: Any) -> Placed | None:
    """The active avatar; of several instances the active object's, if it is one of theirs."""
    avatar, active = active_avatar(context), context.object
    if avatar is None:
        return None
    if active is None or active == avatar:
        return Placed(avatar)
    mine = (each for each in places_of(context.scene, avatar) if each.instance == active.name)
    return next(mine, Placed(avatar))


def place_problem(scene: Any, placed: Placed, there: Iterable[Placed] | None = None) -> str:
    """The reason why the scene's camera cannot see the head: nobody chose one of its instances.
    Empty if it can. there: as rendered_places."""
    if placed.instance or placed.obj.egstalker.camera_source != "scene":
        return ""
    every = places(scene) if there is None else there
    mine = [each for each in every if each.obj == placed.obj]
    if len(mine) < 2 or placed in mine:
        return ""
    names = ", ".join(repr(each.instance) for each in mine)
    return f"{placed.obj.name!r} is instanced by {names}; select one of them"


def _by_avatar(scene: Any) -> dict[Any, list[Placed]]:
    found: dict[Any, list[Placed]] = {}
    for obj in scene.objects:
        for placed in [Placed(obj)] if is_avatar(obj) else _instances_by(obj):
            found.setdefault(placed.obj, []).append(placed)
    return {
        avatar: sorted(there, key=_order) if len(there) > 1 else [Placed(avatar)]
        for avatar, there in found.items()
    }


def _order(placed: Placed) -> str:
    return placed.instance or str(placed.obj.name)


def _instances_by(obj: Any) -> list[Placed]:
    """Each avatar that an object instances."""
    inner = list(dict.fromkeys(instanced_by(obj)))
    return [Placed(avatar, obj.name, len(inner) > 1) for avatar in inner]
