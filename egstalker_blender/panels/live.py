"""The live microphone in the sidebar: device, level, latency, and why it is off."""

from __future__ import annotations

import math
from typing import Any

import bpy

from ...core.live.session import Report
from ..live.operators import EGSTALKER_OT_live, EGSTALKER_OT_live_devices, blocker
from ..live.session import OFF, ON, voice
from .headers import SidebarPart
from .labels import draw_text, translated

SILENT_DB = -60.0  # the lowest level that the bar shows


def decibels(level: float) -> float:
    """dB relative to full scale, at least SILENT_DB."""
    return max(SILENT_DB, 20 * math.log10(level)) if level > 0 else SILENT_DB


def latency_line(report: Report) -> str:
    """The latency and its parts: look-ahead, which the user sets, and computing."""
    if report.settling:
        return translated("Listening to the voice...")
    ahead = report.latency_ms - report.waiting_ms - report.compute_ms
    return (
        f"Latency {report.latency_ms:.0f} ms: look-ahead {ahead:.0f}, "
        f"computing {report.compute_ms:.0f}"
    )


class EGSTALKER_PT_live(SidebarPart, bpy.types.Panel):
    bl_label = "Live Microphone"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        return super().poll(context) or voice().state != OFF

    def draw(self, context: Any) -> None:
        layout, live = self.layout, voice()
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.window_manager.egstalker_live
        col = layout.column()
        col.enabled = live.state == OFF
        row = col.row(align=True)
        row.prop(settings, "device")
        row.operator(EGSTALKER_OT_live_devices.bl_idname, text="", icon="FILE_REFRESH")
        col.prop(settings, "lookahead")
        running = live.state != OFF
        layout.operator(
            EGSTALKER_OT_live.bl_idname,
            text="Stop" if running else "Start",
            icon="PAUSE" if running else "REC",
            depress=running,
        )
        self._draw_state(context, layout, live)

    def _draw_state(self, context: Any, layout: Any, live: Any) -> None:
        reason = live.reason or ("" if live.state != OFF else blocker(context))
        if reason:
            draw_text(layout, context, translated(reason), "ERROR")
        elif live.devices == [] and live.state == OFF:
            text = "No input device; connect a microphone and refresh the list"
            draw_text(layout, context, translated(text), "INFO")
        if live.report is None:
            if live.state != OFF:
                layout.label(text="Starting...", icon="TIME")
            return
        level = decibels(live.report.peak)
        layout.progress(factor=1 - level / SILENT_DB, text=f"{level:.0f} dB")
        draw_text(layout, context, latency_line(live.report), "TIME")
        if live.state == ON:
            draw_text(layout, context, f"{live.name}: {live.device}", "SPEAKER")
        if live.report.overruns:
            text = f"Sound was lost {live.report.overruns} times: the computer is busy"
            draw_text(layout, context, text, "INFO")


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_PT_live,))
