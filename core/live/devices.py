"""Input devices through sounddevice (PortAudio). Imported only in a worker."""

from __future__ import annotations

import os
import time
from types import ModuleType
from typing import Any

from ..errors import EngineError, MissingPackageError
from .source import Device, Float32, Ring

MAX_CHANNELS = 2  # sound systems report up to 128 for a device that has one
MAX_DELAY = 2.0  # seconds; the clock of a driver that claims more is wrong
NO_DEVICE = "no input device; connect a microphone and refresh the list"


def input_devices() -> list[Device]:
    """The connected devices, the preferred one first. Call it only while no source is
    open: it restarts PortAudio. Raises MissingPackageError, EngineError."""
    library = _sounddevice()
    try:
        library._terminate()  # PortAudio looks for devices only when it starts
        library._initialize()
        hosts = library.query_hostapis()
        preferred = library.default.device[0]
        found = [
            Device(
                name=" ".join(entry["name"].split()),
                host=hosts[entry["hostapi"]]["name"],
                channels=entry["max_input_channels"],
                rate=round(entry["default_samplerate"]),
                default=number == preferred,
            )
            for number, entry in enumerate(library.query_devices())
            if entry["max_input_channels"] > 0
        ]
    except library.PortAudioError as error:
        raise EngineError(f"the sound system lists no input devices: {_text(error)}") from error
    return sorted(found, key=lambda device: not device.default)


def open_source(label: str) -> DeviceSource:
    """Record from the device of that label, "" for the preferred one. Raises MissingPackageError,
    and EngineError if there is none or it cannot be opened."""
    found = input_devices()
    if not found:
        raise EngineError(NO_DEVICE)
    for device in found:
        if label in ("", device.label):
            return DeviceSource(device)
    raise EngineError(f"input device {label!r} is not connected; connect it or choose another")


class DeviceSource:
    """A stream of the device at its own rate, in blocks as small as its driver allows."""

    def __init__(self, device: Device) -> None:
        library = _sounddevice()
        self.device = device
        self.ring = Ring(device.rate, min(device.channels, MAX_CHANNELS))
        self._closed = library.PortAudioError
        try:
            self._stream = library.InputStream(
                samplerate=device.rate,
                device=_number(library, device),
                channels=min(device.channels, MAX_CHANNELS),
                dtype="float32",
                latency="low",
                callback=self._record,
            )
            self._stream.start()
        except (library.PortAudioError, ValueError) as error:
            raise EngineError(
                f"input device {device.label!r} cannot be opened: {_text(error)}; close other "
                "programs that record, allow access to the microphone, or choose another device"
            ) from error

    def fault(self) -> str:
        return "" if self._stream.active else "it stopped"

    def close(self) -> None:
        self._stream.close(ignore_errors=True)

    def _record(self, block: Float32, count: int, times: Any, status: Any) -> None:
        """Runs in PortAudio's own thread."""
        now = time.monotonic()
        delay = times.currentTime - times.inputBufferAdcTime - count / self.ring.rate
        if not 0 <= delay <= MAX_DELAY:  # the driver gives no usable time: use its stated latency
            delay = self._stream.latency
        self.ring.overruns += bool(status.input_overflow)
        self.ring.write(block, now - delay)


def _number(library: ModuleType, device: Device) -> int:
    """The device's current index in the list. ValueError if it is no longer there."""
    hosts = library.query_hostapis()
    for number, entry in enumerate(library.query_devices()):
        name = " ".join(entry["name"].split())
        same = (name, hosts[entry["hostapi"]]["name"]) == (device.name, device.host)
        if same and entry["max_input_channels"] > 0:
            return number
    raise ValueError("it is no longer connected")


def _sounddevice() -> ModuleType:
    # Otherwise PulseAudio buffers 0.3 s of sound, or hangs with blocks this small.
    os.environ.setdefault("PULSE_LATENCY_MSEC", "10")
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, PortAudio is not
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingPackageError(
            f"sound cannot be recorded ({text}); pip install sounddevice in the worker's Python, "
            "and on Linux apt-get install libportaudio2"
        ) from error
    return sounddevice


def _text(error: BaseException) -> str:
    return " ".join(str(error).split())
