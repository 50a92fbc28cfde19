"""The training in the sidebar: settings, progress, last picture, or the reason it is disabled."""

from __future__ import annotations

from typing import Any

import bpy

from ... import __package__ as base_package
from ...core.prepare.findings.record import BAD, FAIR, GOOD
from .. import preferences
from ..jobs.job import DONE, FAILED, STOPPED, STOPPING, State
from ..panels.headers import Sidebar
from ..panels.labels import draw_text, duration, translated
from . import picture
from .gather import blocker, can_resume, output_of, python_reason
from .news import News, Progress
from .operators import (
    EGSTALKER_OT_train,
    EGSTALKER_OT_train_import,
    EGSTALKER_OT_train_log,
    EGSTALKER_OT_train_report,
    EGSTALKER_OT_train_resume,
    EGSTALKER_OT_train_stop,
)
from .session import TrainingSession, session

ICONS = {DONE: "CHECKMARK", STOPPED: "PAUSE", FAILED: "ERROR"}
GRADE_ICONS = {GOOD: "CHECKMARK", FAIR: "INFO", BAD: "ERROR"}
MOST_FINDINGS = 3
STAGES = {
    "static": "Shape",
    "lips": "Lips",
    "motion": "Motion",
    "body": "Body",
}  # of `train`; the steps of `prepare` have readable names
ICON_PIXELS = 20.0  # of an icon at scale 1
MARGIN = 50.0  # pixels left and right of a picture in the sidebar
MAX_PICTURE = 10.0  # in icons


class EGSTALKER_PT_train(Sidebar, bpy.types.Panel):
    bl_label = "Train an Avatar"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 200  # below all panels of an avatar

    def draw(self, context: Any) -> None:
        layout, now = self.layout, session()
        layout.use_property_split = True
        layout.use_property_decorate = False
        _draw_settings(layout, context.scene.egstalker_training, now.running)
        if now.running and now.state is not None:
            _draw_running(layout, context, now, now.state)
        else:
            _draw_buttons(layout, context)
            _draw_end(layout, context, now)
        _draw_findings(layout, context, now.news)
        _draw_picture(layout, context)
        if now.probe.busy:
            now.wake()


def _draw_settings(layout: Any, props: Any, running: bool) -> None:
    col = layout.column()
    col.enabled = not running
    col.row().prop(props, "source", expand=True)
    col.prop(props, "video" if props.source == "VIDEO" else "dataset")
    col.prop(props, "output")
    col.prop(props, "preset")
    col.prop(props, "minutes")
    col.prop(props, "features")
    col.prop(props, "import_result")


def _draw_buttons(layout: Any, context: Any) -> None:
    reason = blocker(context)
    if reason:
        draw_text(layout, context, translated(reason), "INFO")
    if python_reason(context.scene) and preferences.get() is not None:
        button = layout.operator(
            "preferences.addon_show", text="Set Up in Preferences...", icon="PREFERENCES"
        )
        button.module = base_package
    row = layout.row(align=True)
    if can_resume(context.scene):
        row.operator(EGSTALKER_OT_train_resume.bl_idname, icon="PLAY")
        row.operator(EGSTALKER_OT_train.bl_idname, text="Start Over...", icon="FILE_REFRESH")
    else:
        row.operator(EGSTALKER_OT_train.bl_idname, icon="PLAY")
    row.operator(EGSTALKER_OT_train_log.bl_idname, text="", icon="TEXT")


def _draw_running(layout: Any, context: Any, now: TrainingSession, state: State) -> None:
    row = layout.row(align=True)
    row.progress(factor=state.factor, type="BAR", text=bar_text(state, now.news.progress))
    row.operator(EGSTALKER_OT_train_stop.bl_idname, text="", icon="X")
    row.operator(EGSTALKER_OT_train_log.bl_idname, text="", icon="TEXT")
    col = layout.column(align=True)
    for line in detail_lines(state, now.news.progress):
        draw_text(col, context, line)
    if now.news.note:
        draw_text(layout, context, now.news.note, "INFO")
    if now.settings is not None and now.settings.output != output_of(context.scene):
        draw_text(layout, context, str(now.settings.output), "FILE")  # another file was opened


def _draw_end(layout: Any, context: Any, now: TrainingSession) -> None:
    if now.state is None:
        return
    draw_text(layout, context, now.state.text, ICONS[now.state.kind])
    if now.fault:
        draw_text(layout, context, now.fault, "ERROR")
    if now.result is not None:
        layout.operator(EGSTALKER_OT_train_import.bl_idname, icon="IMPORT")


def _draw_findings(layout: Any, context: Any, news: News) -> None:
    """The worst findings of the video, and the page with all of them."""
    if news.page is None and not news.findings:
        return
    col = layout.column(align=True)
    for finding in news.findings[:MOST_FINDINGS]:
        text = f"{translated(finding.name.capitalize())}: {finding.text}"
        draw_text(col, context, text, GRADE_ICONS[finding.grade])
    layout.operator(EGSTALKER_OT_train_report.bl_idname, icon="URL")


def _draw_picture(layout: Any, context: Any) -> None:
    icon = picture.icon()
    if not icon:
        return
    width = context.region.width if context.region else 300
    scale = (width - MARGIN) / (ICON_PIXELS * context.preferences.system.ui_scale)
    row = layout.row()
    row.alignment = "CENTER"
    row.template_icon(icon_value=icon, scale=max(1.0, min(MAX_PICTURE, scale)))


def bar_text(state: State, progress: Progress | None) -> str:
    """The stage and its progress."""
    if state.kind == STOPPING:
        return translated("Saving the state, then stopping")
    if progress is None:
        return translated("Starting...")
    name = STAGES.get(progress.what) or progress.what.replace("_", " ").capitalize()
    of_all = f" of {progress.total}" if progress.total else ""
    return f"{translated(name)} {progress.done}{of_all}"


def detail_lines(state: State, progress: Progress | None) -> list[str]:
    """Time, quality and size: a line for each that is known."""
    remaining = progress.remaining if progress is not None else None
    if state.kind == STOPPING:
        remaining = None  # it will stop sooner
    times = f"{duration(state.seconds)} so far"
    lines = [f"{times}, {duration(remaining)} left" if remaining is not None else times]
    if progress is not None:
        lines += _quality(progress)
    if state.quiet:
        lines.append(f"No output for {duration(state.quiet)}")
    return lines


def _quality(progress: Progress) -> list[str]:
    parts = []
    if progress.loss is not None:
        parts.append(f"Loss {progress.loss:.4f}")
    if progress.psnr is not None:
        parts.append(f"PSNR {progress.psnr:.1f} dB")
    lines = [", ".join(parts)] if parts else []
    if progress.gaussians is not None:
        lines.append(f"{progress.gaussians:,} Gaussians")
    return lines


register, unregister = bpy.utils.register_classes_factory((EGSTALKER_PT_train,))
