"""Operators that say why they are disabled."""

from __future__ import annotations

from typing import Any

NO_AVATAR = "Select an avatar, or import one"
LINKED = "The avatar is linked; change it in its own file, or make a library override"


class Reasoned:
    """Mixin of an operator that is disabled while `reason` gives one."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        reason = cls.reason(context)
        if reason:
            cls.poll_message_set(reason)  # type: ignore[attr-defined]
        return not reason

    @classmethod
    def reason(cls, context: Any) -> str:
        """The reason why it is disabled, empty if it is not."""
        raise NotImplementedError
