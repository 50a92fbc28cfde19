"""The worker's part of the preferences: buttons, progress, result of the check."""

from __future__ import annotations

from typing import Any

from ..jobs.job import DONE, FAILED, STOPPED, State
from ..panels.labels import draw_text, duration
from .check import Check
from .operators import (
    EGSTALKER_OT_worker_cancel,
    EGSTALKER_OT_worker_check,
    EGSTALKER_OT_worker_log,
    EGSTALKER_OT_worker_set_up,
    offline_reason,
)
from .session import session

ICONS = {DONE: "CHECKMARK", FAILED: "ERROR", STOPPED: "CANCEL"}


def draw_worker(layout: Any, context: Any) -> None:
    now = session()
    row = layout.row(align=True)
    row.operator(EGSTALKER_OT_worker_check.bl_idname, icon="FILE_REFRESH")
    row.operator(EGSTALKER_OT_worker_set_up.bl_idname, text="Set Up...", icon="IMPORT")
    row.operator(EGSTALKER_OT_worker_log.bl_idname, text="", icon="TEXT")
    reason = offline_reason()
    if reason:
        layout.label(text=f"Set Up downloads packages. {reason}", icon="INTERNET_OFFLINE")
    if now.state is not None:
        _draw_state(layout, context, now.state)
    if now.check is not None:
        _draw_check(layout, context, now.check)


def _draw_state(layout: Any, context: Any, state: State) -> None:
    if not state.alive:
        draw_text(layout, context, state.text, ICONS[state.kind])
        return
    row = layout.row(align=True)
    row.progress(factor=state.factor, type="BAR", text=f"{state.text}   {duration(state.seconds)}")
    row.operator(EGSTALKER_OT_worker_cancel.bl_idname, text="", icon="X")


def _draw_check(layout: Any, context: Any, check: Check) -> None:
    if check.running:
        layout.label(text=f"Checking {check.python}", icon="SORTTIME")
    elif check.report is not None:
        first, packages = check.report.lines()
        layout.label(text=first, icon="CHECKMARK")
        draw_text(layout, context, packages or "No packages", "BLANK1")
    else:
        draw_text(layout, context, check.fault, "ERROR")
