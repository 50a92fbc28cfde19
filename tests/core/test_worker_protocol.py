"""Messages: written ones are read back; anything else is a ProtocolError and nothing worse."""

from __future__ import annotations

import contextlib
import io
import json
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import errors
from core.worker.protocol import (
    ERROR_KINDS,
    MAX_BYTES,
    encode,
    error_from,
    error_message,
    read_message,
    value,
)

TREE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.EgsError) and kind is not errors.EgsError
]
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text()
data = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine
@given(st.dictionaries(st.text(), data, max_size=5), st.text())
def test_a_message_comes_back_as_it_was(fields, kind):
    message = {**fields, "type": kind}
    stream = io.BytesIO(encode(message) * 2)
    assert read_message(stream) == read_message(stream) == message
    assert read_message(stream) is None


@given(st.binary(max_size=200))
def test_random_bytes_give_a_message_or_a_protocol_error(raw):
    stream = io.BytesIO(raw)
    try:
        while (message := read_message(stream)) is not None:
            assert isinstance(message["type"], str)
    except errors.ProtocolError as error:
        assert len(str(error).splitlines()) == 1


@given(st.binary(max_size=100) | data.map(lambda item: json.dumps(item).encode()))
def test_a_random_body_gives_a_message_or_a_protocol_error(body):
    with contextlib.suppress(errors.ProtocolError):
        read_message(io.BytesIO(struct.pack(">I", len(body)) + body))


@pytest.mark.parametrize(
    "body", [b'{"type":NaN}', b'{"type":1}', b"{}", b"[" * 100_000, b"[1]", b'\xff"', b"1" * 5000]
)
def test_what_is_no_message_is_refused(body):
    with pytest.raises(errors.ProtocolError):
        read_message(io.BytesIO(struct.pack(">I", len(body)) + body))


def test_the_length_is_checked_before_the_body_is_read():
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            assert size == 4, "the body was asked for"
            return struct.pack(">I", MAX_BYTES + 1)

    with pytest.raises(errors.ProtocolError, match="claims"):
        read_message(Endless())


def test_a_message_that_is_too_long_or_not_json_is_not_sent():
    for message in ({"type": "x" * MAX_BYTES}, {"type": float("nan")}, {"type": object()}):
        with pytest.raises(errors.ProtocolError):
            encode(message)


def test_a_cut_stream_is_an_error():
    whole = encode({"type": "hello", "id": 1})
    for length in range(1, len(whole)):
        with pytest.raises(errors.ProtocolError):
            read_message(io.BytesIO(whole[:length]))


@pytest.mark.parametrize("kind", TREE)
def test_each_error_of_the_tree_keeps_class_and_text(kind):
    assert ERROR_KINDS[kind.__name__] is kind
    back = error_from(error_message(3, kind("bad thing; do this")))
    assert type(back) is kind and str(back) == "bad thing; do this"


def test_foreign_kinds_and_defects_are_engine_errors():
    message = {"type": "error", "id": 1, "kind": "SystemExit", "message": "a\nb"}
    assert type(error_from(message)) is errors.EngineError
    assert str(error_from(message)) == "a b"
    assert type(error_from(error_message(1, ValueError("x")))) is errors.EngineError

    class Inner(errors.AudioError):
        pass

    assert type(error_from(error_message(1, Inner("x")))) is errors.AudioError


def test_missing_memory_is_one_line_with_a_next_step():
    error = error_from(error_message(1, MemoryError("Unable to allocate 9 GiB")))
    assert type(error) is errors.EngineError
    assert str(error).startswith("memory ran out (Unable to allocate 9 GiB); close other programs")


def test_fields_are_checked_by_type():
    message = {"n": 1, "f": 1.5, "b": True, "s": "x"}
    assert value(message, "n", int) == 1 and value(message, "n", float) == 1.0
    for key, kind in (("b", int), ("b", float), ("s", int), ("n", bool), ("none", str)):
        with pytest.raises(errors.ProtocolError, match=key):
            value(message, key, kind)
