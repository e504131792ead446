"""Covers the OSC encoder: byte for byte what python-osc writes, and bundles that fit a packet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message_builder import OscMessageBuilder

from realtime_vibe.outputs.stream.osc import MAX_DATAGRAM_BYTES, OscMessage, bundles
from tests.outputs.stream.udp_receiver import decode

FLOATS = st.floats(width=32, allow_nan=False)


@given(text=st.text(st.characters(exclude_characters="\0", codec="utf-8")),
       number=st.integers(-(2**31), 2**31 - 1), values=st.lists(FLOATS, min_size=3, max_size=3))  # fmt: skip
def test_messages_are_those_of_an_independent_library(text, number, values) -> None:
    message = OscMessage("/VMC/Ext/Some", (text,), "ifff")
    message.set(number, *values)
    builder = OscMessageBuilder("/VMC/Ext/Some")
    builder.add_arg(text, "s")
    builder.add_arg(number, "i")
    for value in values:
        builder.add_arg(value, "f")
    assert message.encoded() == builder.build().dgram
    assert len(message.encoded()) % 4 == 0


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60))
def test_bundles_keep_order_and_fit_a_packet(sizes: list[int]) -> None:
    messages = [OscMessage(f"/{index}", ("x" * size,), "i") for index, size in enumerate(sizes)]
    for index, message in enumerate(messages):
        message.set(index)
    datagrams = bundles(messages)
    assert all(len(datagram) <= MAX_DATAGRAM_BYTES for datagram in datagrams)
    decoded = [message for datagram in datagrams for message in decode(datagram)]
    assert [message[0] for message in decoded] == [f"/{index}" for index in range(len(sizes))]
    assert [message[1][1] for message in decoded] == list(range(len(sizes)))


def test_an_integer_tag_takes_no_float() -> None:
    message = OscMessage("/a", (), "i")
    message.set(1.5)
    with pytest.raises(Exception, match="integer"):
        message.encoded()


def test_nothing_makes_no_bundle() -> None:
    assert bundles([]) == []
