"""The Blender half: it reads the scene, and core computes. Modules register in this order."""

from __future__ import annotations

from . import bake, blocks, command, engines, preferences_panel, properties, timeline
from .avatars import checkpoint, demo, drops, importer, relink, training_camera
from .controls import presets
from .export import operators as export_operators
from .export import panel as export_panel
from .farm import operators as farm_operators
from .farm import panel as farm_panel
from .film import operators as film_operators
from .landmarks import operators as landmark_operators
from .live import operators as live_operators
from .panels import controls as control_panels
from .panels import live as live_panel
from .panels import menus, object_properties, sidebar
from .render import (
    layer_handlers,
    layer_operators,
    material,
    native_handlers,
    native_operators,
    native_view,
    origin,
)
from .render import panel as render_panel
from .setup_worker import operators as worker_operators
from .setup_worker import session as worker_session
from .sound import link
from .training import operators as training_operators
from .training import panel as training_panel
from .training import properties as training_properties
from .training import session as training_session
from .viewport import display, handler

MODULES = (
    preferences_panel,
    properties,
    blocks,
    display,
    engines,
    importer,
    checkpoint,
    drops,
    link,
    demo,
    relink,
    training_camera,
    bake,
    export_operators,
    film_operators,
    farm_operators,
    native_operators,
    layer_operators,
    landmark_operators,
    material,
    presets,
    sidebar,
    control_panels,
    live_operators,
    live_panel,
    object_properties,
    render_panel,
    export_panel,
    farm_panel,
    menus,
    worker_session,
    worker_operators,
    training_properties,
    training_session,
    training_operators,
    training_panel,
    command,
    origin,  # before the two that say what a frame shows
    layer_handlers,
    native_handlers,  # before the viewport's, which counts the objects that these add
    handler,
    native_view,
    timeline,
)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(MODULES):
        module.unregister()
