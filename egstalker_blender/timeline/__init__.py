"""From the playhead to splats in the viewport: marks, requests, cache, the bar that shows it.

Handlers only mark. One timer on the main thread (`timer`) looks at the marks, says what is wanted,
and shows what is ready; a thread of `core.engine.background` does the work.
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
