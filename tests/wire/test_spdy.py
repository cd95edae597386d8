"""SPDY/3.1 frames: what is written is read, wherever it is cut; what is not SPDY is refused, and nothing grows."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.wire import spdy
from homeostat.wire.spdy import Data, FrameReader, FrameWriter, GoAway, Ping, Reset, SpdyError, SynReply, SynStream

streams = st.integers(1, 2**31 - 1)
names = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=12)
values = st.text(st.characters(codec="latin-1", min_codepoint=1), max_size=40)
frames = st.one_of(
    st.builds(SynStream, streams, st.dictionaries(names, values, max_size=5)),
    st.builds(SynReply, streams),
    st.builds(Data, streams, st.binary(max_size=200), st.booleans()),
    st.builds(Reset, streams, st.integers(1, 11)),
    st.builds(Ping, st.integers(1, 2**32 - 1)),
    st.builds(GoAway, streams),
)


def write(writer, frame):
    match frame:
        case SynStream(stream, headers):
            return writer.syn_stream(stream, headers)
        case SynReply(stream):
            return writer.syn_reply(stream)
        case Data(stream, data, last):
            return spdy.data_frames(stream, data, last=last)
        case Reset(stream, status):
            return spdy.reset_frame(stream, status)
        case Ping(number):
            return spdy.ping_frame(number)
        case GoAway(stream):
            return spdy.goaway_frame(stream)


def whole(read):
    """Frames with the pieces of one data frame put together again."""
    found = []
    for frame in read:
        before = found[-1] if found else None
        if isinstance(frame, Data) and isinstance(before, Data) and before.stream == frame.stream and not before.last:
            found[-1] = Data(frame.stream, before.data + frame.data, frame.last)
        else:
            found.append(frame)
    return found


@given(st.lists(frames, max_size=12), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_what_is_written_is_read_wherever_it_is_cut(written, cuts):
    """One compression covers all header blocks of a direction, so order is everything."""
    writer, reader = FrameWriter(), FrameReader()
    raw = b"".join(write(writer, frame) for frame in written)
    read, at, number = [], 0, 0
    while at < len(raw):
        size = cuts[number % len(cuts)]
        read += reader.feed(raw[at : at + size])
        at, number = at + size, number + 1
    assert whole(read) == whole(written)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_spdy_are_refused_in_one_way_or_are_data(noise):
    try:
        for frame in FrameReader().feed(noise):
            assert isinstance(frame, Data | Reset | Ping | GoAway)
    except SpdyError:
        pass


@given(st.integers(0, 200_000), st.booleans())
def test_long_data_goes_in_frames_of_which_the_last_alone_says_so(size, last):
    raw = spdy.data_frames(3, b"x" * size, last=last)
    read = list(FrameReader().feed(raw))
    assert b"".join(frame.data for frame in read) == b"x" * size
    assert [frame.last for frame in read] == [False] * (len(read) - 1) + [last]
    assert all(len(frame.data) <= spdy.DATA_BYTES_MAX for frame in read)


def test_the_dictionary_is_that_of_the_protocol():
    """A SPDY/3 peer's first header block names its dictionary by this checksum (SPDY draft 3, 2.6.10.1)."""
    assert len(spdy.DICTIONARY) == 1423
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2
    assert b"\x78\xbb\xe3\xc6\xa7\xc2" in FrameWriter().syn_stream(1, {})


def test_a_frame_has_the_protocols_layout():
    raw = FrameWriter().syn_stream(5, {"streamType": "stdin"})
    assert raw[:4] == b"\x80\x03\x00\x01" and raw[4:8] == struct.pack(">I", len(raw) - 8)
    assert raw[8:18] == struct.pack(">IIH", 5, 0, 0)
    block = zlib.decompressobj(zdict=spdy.DICTIONARY).decompress(raw[18:])
    assert block == struct.pack(">II", 1, 10) + b"streamtype" + struct.pack(">I", 5) + b"stdin"
    assert spdy.data_frames(5, b"abc", last=True) == bytes.fromhex("00000005 01000003") + b"abc"
    assert spdy.data_frames(5, b"") == bytes.fromhex("00000005 00000000")
    assert spdy.reset_frame(5, 1) == bytes.fromhex("80030003 00000008 00000005 00000001")
    assert spdy.ping_frame(2) == bytes.fromhex("80030006 00000004 00000002")
    assert spdy.goaway_frame(5) == bytes.fromhex("80030007 00000008 00000005 00000000")


def test_what_is_not_needed_is_read_over_and_keeps_the_compression_in_step():
    """SETTINGS and WINDOW_UPDATE mean nothing without windows; HEADERS go through the compression of all others."""
    writer = FrameWriter()
    headers = writer._headers({"more": "words"})
    raw = writer_frame(8, struct.pack(">I", 1) + headers)
    raw += writer_frame(4, struct.pack(">IIII", 1, 4, 0, 1000)) + writer_frame(9, struct.pack(">II", 1, 500))
    raw += writer.syn_stream(3, {"port": "80"})
    assert list(FrameReader().feed(raw)) == [SynStream(3, {"port": "80"})]


def writer_frame(kind, body):
    return struct.pack(">II", 0x8003_0000 | kind, len(body)) + body


def test_of_several_values_the_first_one_counts():
    assert list(FrameReader().feed(FrameWriter().syn_stream(1, {"a": "one\0two"}))) == [SynStream(1, {"a": "one"})]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\x80\x02\x00\x01" + bytes(4), "version 2"),
        (b"\x80\x03\x00\x01" + struct.pack(">I", spdy.CONTROL_BYTES_MAX + 1), "bytes"),
        (writer_frame(1, b"\0\0"), "malformed"),
        (writer_frame(3, b"\0\0"), "malformed"),
        (writer_frame(1, bytes(10) + b"no zlib stream"), "malformed"),
        (writer_frame(2, bytes(4) + zlib.compress(b"")), "malformed"),
    ],
)
def test_what_cannot_be_read_ends_the_reading(raw, why):
    with pytest.raises(SpdyError, match=why):
        list(FrameReader().feed(raw))


def block(text):
    deflate = zlib.compressobj(zdict=spdy.DICTIONARY)
    return deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)


def test_headers_that_unpack_without_end_or_end_too_early_are_refused():
    bomb = block(struct.pack(">II", 1, 10_000_000) + bytes(10_000_000))
    assert len(bomb) < spdy.CONTROL_BYTES_MAX
    with pytest.raises(SpdyError, match="headers of more"):
        list(FrameReader().feed(writer_frame(1, bytes(10) + bomb)))
    for text in (struct.pack(">II", 1, 5) + b"abc", struct.pack(">I", 3), struct.pack(">II", 1, 1) + b"a"):
        with pytest.raises(SpdyError):
            list(FrameReader().feed(writer_frame(1, bytes(10) + block(text))))
