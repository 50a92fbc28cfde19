"""What the files of a bake say about themselves."""

from __future__ import annotations

from collections.abc import Sequence

from ..images.notes import NO_NOTES, Notes
from ..images.xmp import COMPOSITE, GENERATED, Origin, Source, packet
from ..records.avatar import Avatar
from ..records.job import BakeJob, FrameTask
from ..system.program import NAME, version
from .keys import picture_key


def notes_of(job: BakeJob, task: FrameTask, xmp: str) -> Notes:
    """The notes of a picture of the job, whose voice_digest is known. xmp: the job's packet."""
    if not job.has_notes:
        return NO_NOTES
    return Notes(xmp, job.avatar_hash, picture_key(job, task))


def xmp_of(avatar: Avatar, over_background: bool) -> str:
    """The XMP packet of pictures or a film of the avatar. over_background: the avatar's filmed
    background, if it has one, is behind the head."""
    filmed = over_background and avatar.background is not None
    return _packet(COMPOSITE if filmed else GENERATED, [avatar])


def xmp_of_render(avatars: Sequence[Avatar]) -> str:
    """The XMP packet of a picture that shows the avatars in a scene."""
    return _packet(COMPOSITE, avatars)


def _packet(source_type: str, avatars: Sequence[Avatar]) -> str:
    sources = tuple(Source(each.name, each.content_hash, each.licence) for each in avatars)
    return packet(Origin(source_type, sources, NAME, version()))
