"""The live microphone in Blender, with a fake microphone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import pytest
from egstalker.core.engine.microphone import FakeMicrophone
from egstalker.core.live.session import Report
from egstalker.core.live.source import Device
from egstalker.egstalker_blender.live import operators, state
from egstalker.egstalker_blender.live import session as live_session
from egstalker.egstalker_blender.live.session import OFF, ON, PACE, STARTING, LiveVoice
from egstalker.egstalker_blender.panels import live as live_panel
from egstalker.egstalker_blender.timeline import timer
from egstalker.egstalker_blender.viewport import stage

from tests.support.blender_timeline import LIMIT, Clock


@pytest.fixture
def live_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the session's live voice, which only a test advances."""
    clock = Clock()
    monkeypatch.setattr(live_session, "_voice", LiveVoice(clock))
    return clock


@pytest.fixture
def microphone(monkeypatch: pytest.MonkeyPatch, fake: Any, live_clock: Clock) -> Any:
    """A fake that sessions open. No blocker: as if the preferences named a worker."""
    one = FakeMicrophone()
    monkeypatch.setattr(live_session, "open_microphone", lambda engine: one)
    monkeypatch.setattr(operators, "blocker", lambda context: "")
    yield one
    live_session.close()
    operators._labels[1:], operators._items[1:], operators._chosen = [], [], 0


def run(until: Callable[[], object], rounds: int = 50) -> None:
    """Tick like the timer until the condition holds. Each round is longer than PACE."""
    voice = live_session.voice()
    clock = voice._clock
    assert isinstance(clock, Clock)
    for _ in range(rounds):
        if until():
            return
        clock.advance(1.5 * PACE)
        voice.tick()
        assert voice.settle(LIMIT)
    pytest.fail(voice.reason or "nothing happened")


def started(obj: Any) -> Any:
    assert bpy.ops.egstalker.live() == {"FINISHED"}
    voice = live_session.voice()
    assert voice.state == STARTING and state.is_live(obj.session_uid)
    run(lambda: voice.report is not None)
    assert voice.state == ON
    return voice


def test_the_voice_is_shown_and_the_controls_go_with_it(head: Any, microphone: Any) -> None:
    head.egstalker.strength, head.egstalker.audio_offset = 0.7, 0.3
    voice = started(head)
    assert microphone.live == voice.device == "Fake, Tests"
    assert len(stage.shown()[head.session_uid].splats.means) == 200
    version = stage.shown()[head.session_uid].version
    run(lambda: stage.shown()[head.session_uid].version > version + 2)
    assert microphone.moments[-1].strength == pytest.approx(0.7)
    seconds = [moment.seconds for moment in microphone.moments]
    assert seconds == sorted(seconds) and seconds[0] == 0 and seconds[-1] > 0
    head.egstalker.strength = 0.2
    run(lambda: microphone.moments[-1].strength == pytest.approx(0.2))


def test_the_latency_counts_until_the_splats_are_shown(
    head: Any, microphone: Any, live_clock: Clock
) -> None:
    voice = started(head)
    run(lambda: voice._background.busy)
    live_clock.advance(0.05)  # the frame is computed and waits for the tick
    voice.tick()
    assert voice.report.latency_ms == pytest.approx(150 + 50)


def test_frames_are_a_step_of_sound_apart(head: Any, microphone: Any, live_clock: Clock) -> None:
    voice = started(head)
    count = len(microphone.moments)
    for _ in range(4):
        live_clock.advance(0.6 * PACE)
        voice.tick()
        assert voice.settle(LIMIT)
    assert len(microphone.moments) == count + 2


def test_the_toggle_stops_and_the_timeline_goes_on(head: Any, microphone: Any) -> None:
    service = timer.service()
    service.scan(timer.scenes())
    assert head.session_uid in service.heads
    voice = started(head)
    service.scan(timer.scenes())
    assert head.session_uid not in service.heads
    assert bpy.ops.egstalker.live() == {"FINISHED"}
    assert voice.state == OFF and not state.is_live(head.session_uid)
    run(lambda: microphone.live == "")
    assert voice.tick() is None  # the timer ends
    service.scan(timer.scenes())
    assert head.session_uid in service.heads


def test_the_operator_of_esc_works_only_while_live(head: Any, microphone: Any) -> None:
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.egstalker.live_stop()
    voice = started(head)
    assert bpy.ops.egstalker.live_stop() == {"FINISHED"}
    assert voice.state == OFF


def test_stopping_during_the_start_closes_the_device(head: Any, microphone: Any) -> None:
    bpy.ops.egstalker.live()
    voice = live_session.voice()
    bpy.ops.egstalker.live()
    assert voice.state == OFF
    run(lambda: voice.tick() is None)
    assert microphone.live == "" and voice.report is None


def test_a_lost_device_stops_it_with_a_reason(head: Any, microphone: Any) -> None:
    microphone.fail_at = 3
    bpy.ops.egstalker.live()
    voice = live_session.voice()
    run(lambda: voice.state == OFF)
    assert "was lost" in voice.reason and not state.is_live(head.session_uid)
    run(lambda: microphone.live == "")
    microphone.fail_at = 0
    assert started(head).reason == ""


def test_no_device_is_a_reason(head: Any, microphone: Any) -> None:
    microphone.found = []
    bpy.ops.egstalker.live()
    voice = live_session.voice()
    run(lambda: voice.state == OFF)
    assert voice.reason.startswith("no input device")


def test_a_renamed_object_goes_on_and_a_deleted_one_stops(head: Any, microphone: Any) -> None:
    voice, key = started(head), head.session_uid
    head.name = "another"
    count = len(microphone.moments)
    run(lambda: len(microphone.moments) > count + 2)
    assert voice.state == ON and voice.name == "another"
    bpy.data.objects.remove(head)
    run(lambda: voice.state == OFF)
    assert "deleted" in voice.reason and key not in stage.shown()
    run(lambda: microphone.live == "")


def test_another_file_stops_it(head: Any, microphone: Any) -> None:
    voice, key = started(head), head.session_uid
    bpy.ops.wm.read_homefile(use_empty=True)
    assert voice.state == OFF and not state.is_live(key)
    run(lambda: microphone.live == "")


def test_unregister_stops_it_and_leaves_nothing(head: Any, microphone: Any) -> None:
    started(head)
    key = head.session_uid
    live_panel.unregister()
    operators.unregister()
    try:
        assert live_session._voice is None and not state.is_live(key)
        assert not bpy.app.timers.is_registered(live_session._tick)
        assert operators._before_load not in bpy.app.handlers.load_pre
        assert not hasattr(bpy.types.WindowManager, "egstalker_live")
    finally:
        operators.register()
        live_panel.register()


def test_devices_are_listed_and_chosen_by_name(head: Any, microphone: Any) -> None:
    microphone.found = [Device("Desk", "ALSA", 2, 48000, True), Device("Bus", "ALSA", 1, 16000)]
    assert bpy.ops.egstalker.live_devices() == {"FINISHED"}
    run(lambda: live_session.voice().devices is not None)
    settings = bpy.context.window_manager.egstalker_live
    assert [item[1] for item in operators.device_items()] == ["System Default", "Desk", "Bus"]
    assert settings.device == "DEFAULT"
    settings.device = "DEVICE_2"
    assert started(head).device == microphone.live == "Bus, ALSA"
    with pytest.raises(RuntimeError, match="poll"):
        bpy.ops.egstalker.live_devices()
    live_session.voice().stop()
    microphone.found = microphone.found[:1]  # a device that has gone keeps its number
    run(lambda: live_session.voice().tick() is None)
    bpy.ops.egstalker.live_devices()
    run(lambda: len(live_session.voice().devices or "12") == 1)
    assert settings.device == "DEVICE_2" and len(operators.device_items()) == 3


def test_without_a_worker_the_operator_says_why(
    head: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators.preferences, "worker_python", lambda: None)
    assert "needs the worker" in operators.blocker(bpy.context)
    assert not bpy.ops.egstalker.live.poll()


def test_an_engine_without_worker_is_a_reason(
    head: Any, fake: Any, live_clock: Clock, monkeypatch: Any
) -> None:
    monkeypatch.setattr(operators, "blocker", lambda context: "")
    bpy.ops.egstalker.live()
    voice = live_session.voice()
    run(lambda: voice.state == OFF)
    assert "needs the worker" in voice.reason
    live_session.close()


def test_lines_of_the_panel() -> None:
    assert live_panel.decibels(1.0) == 0 and live_panel.decibels(0.0) == -60
    assert live_panel.decibels(0.1) == pytest.approx(-20)
    report = Report(0.5, 0.1, 1.0, 207.0, 12.0, 95.0, 0, False)
    assert live_panel.latency_line(report) == "Latency 207 ms: look-ahead 100, computing 95"
    report = Report(0.5, 0.1, 1.0, 207.0, 12.0, 95.0, 0, True)
    assert live_panel.latency_line(report).startswith("Listening")


class Layout:
    """A fake layout that records the texts a panel draws."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def column(self, **_: Any) -> Layout:
        return Layout(self.texts)

    row = column

    def prop(self, owner: Any, name: str, **_: Any) -> None:
        assert name in owner.bl_rna.properties

    def operator(self, name: str, text: str = "", **_: Any) -> None:
        assert getattr(bpy.ops.egstalker, name.partition(".")[2]).get_rna_type()
        self.texts.append(text)

    def label(self, text: str = "", **_: Any) -> None:
        self.texts.append(text)

    def progress(self, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.texts.append(text)


def drawn() -> list[str]:
    texts: list[str] = []
    panel = type("Panel", (), {"layout": Layout(texts)})()
    panel._draw_state = lambda *given: live_panel.EGSTALKER_PT_live._draw_state(panel, *given)
    live_panel.EGSTALKER_PT_live.draw(panel, bpy.context)
    return texts


def test_the_panel_draws_every_state(head: Any, microphone: Any, monkeypatch: Any) -> None:
    def say(layout: Layout, _context: Any, text: str, _icon: str = "NONE") -> None:
        layout.label(text)  # without a window an interface has no scale to wrap text by

    monkeypatch.setattr(live_panel, "draw_text", say)
    monkeypatch.setattr(live_panel, "blocker", lambda context: "no worker")
    assert {"Start", "no worker"} <= set(drawn())
    bpy.ops.egstalker.live()
    assert {"Stop", "Starting..."} <= set(drawn())
    live_session.voice().stop()
    started(head)
    said = " ".join(drawn())
    assert "-6 dB" in said and "Latency" in said and "Fake, Tests" in said
    live_session.voice().stop("it was lost")
    assert "it was lost" in drawn()
