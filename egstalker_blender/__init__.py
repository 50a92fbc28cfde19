"""The half that knows Blender: it gathers, the core works. Modules register in this order."""

from __future__ import annotations

from . import (
    bake,
    cli,
    engines,
    importer,
    link,
    panels,
    preferences,
    properties,
    training_camera,
)

MODULES = (preferences, properties, engines, importer, link, training_camera, bake, panels, cli)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(MODULES):
        module.unregister()
