"""From the playhead to splats in the viewport.

Blender's handlers (`handlers`) only mark what is out of date. A timer on the main thread (`timer`)
reads the marks, and the service (`service`) requests frames and shows the finished ones; a thread
of `core.engine.background` computes them. `store` caches frames, `bar` draws which are cached.
"""

from __future__ import annotations

from . import bar, handlers, operators, store, timer

MODULES = (operators, timer, handlers, bar)


def register() -> None:
    for module in MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(MODULES):
        module.unregister()
    store.unregister()
