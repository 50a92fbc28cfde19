"""The half that knows Blender: it gathers, the core works. Modules register in this order."""

from __future__ import annotations

from . import (
    bake,
    checkpoint,
    cli,
    control_panels,
    control_presets,
    demo,
    drops,
    engines,
    importer,
    link,
    live,
    live_panel,
    menus,
    object_panels,
    panels,
    preferences,
    properties,
    relink,
    timeline,
    training_camera,
)
from .setup_worker import operators as worker_operators
from .setup_worker import session as worker_session
from .training import operators as training_operators
from .training import panel as training_panel
from .training import properties as training_properties
from .training import session as training_session
from .viewport import display
from .viewport import handler as viewport

MODULES = (
    preferences,
    properties,
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
    control_presets,
    panels,
    control_panels,
    live,
    live_panel,
    object_panels,
    menus,
    worker_session,
    worker_operators,
    training_properties,
    training_session,
    training_operators,
    training_panel,
    cli,
    viewport,
    timeline,
)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(MODULES):
        module.unregister()
