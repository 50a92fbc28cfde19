"""The live part of a worker: one voice at a time (protocol.py lists its requests)."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from ..errors import FeatureMismatchError, ProtocolError
from ..live import devices
from ..live.session import LiveSession
from ..live.stream import HERE, SoundStream
from ..network.deformer import Deformer, splats_at
from ..records.avatar import Avatar
from ..records.gaussians import Splats
from ..records.moment import Moment
from ..records.voice import RATE
from .protocol import Message


class Live:
    def __init__(self) -> None:
        self._session: LiveSession | None = None
        self._digest = ""

    def devices(self) -> Message:
        """The connected devices; ends a live session, since listing them restarts PortAudio."""
        self.stop()
        return {"devices": [asdict(device) for device in devices.input_devices()]}

    def start(self, avatar: Avatar, deformer: Deformer, device: str, lookahead: int) -> Message:
        """Replaces a live session. device: a label, "" for the preferred one."""
        self.stop()
        if avatar.features is None:
            raise FeatureMismatchError(
                "the avatar is a still, which no sound drives; choose another"
            )
        # The first head takes seconds if code has to be compiled; the sound would not wait.
        nothing = SoundStream(avatar.features, RATE, lookahead).newest()
        splats_at(deformer, nothing, Moment(HERE, 0.0, np.zeros(12, np.float32)))
        source = devices.open_source(device)
        self._session = LiveSession(source, avatar.features, lookahead)
        self._digest = avatar.content_hash
        return {"device": source.device.label, "rate": source.ring.rate}

    def splats(self, avatar: Avatar, deformer: Deformer, moment: Moment) -> Splats:
        """The head at the newest moment of the sound, whatever `moment.seconds` says."""
        if self._digest != avatar.content_hash:
            raise ProtocolError("another avatar is live, or none; start this one first")
        track = self._running().listen()
        return splats_at(deformer, track, replace(moment, seconds=HERE))

    def report(self) -> Message:
        """Call it when those splats are where the client reads them."""
        return asdict(self._running().report())

    def stop(self) -> None:
        session, self._session, self._digest = self._session, None, ""
        if session:
            session.close()

    def _running(self) -> LiveSession:
        if self._session is None:
            raise ProtocolError("nothing is live; start it first")
        return self._session
