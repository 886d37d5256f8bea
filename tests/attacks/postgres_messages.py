"""PostgreSQL: huge, empty, truncated or hoarded messages, before and after authentication."""

import struct
import time
from contextlib import suppress

from postgres_wire import (
    SYNC,
    Messages,
    answer_of,
    bind,
    close,
    describe,
    error_of,
    execute,
    log_in,
    message,
    open_postgres,
    parse,
    query,
    startup,
)
from registry import KIB, MIB, at_once, attack, expect
from wire import read_to_end

PART = bytes(MIB)


def claim(kind, body_bytes):
    """The head of a message that promises so much."""
    return kind + struct.pack(">I", 4 + body_bytes)


def pour(connection, body_bytes):
    """Sends a body as long as the server takes it in; the bytes that it took."""
    sent = 0
    with suppress(OSError):
        while sent < body_bytes:
            connection.sendall(PART)
            sent += len(PART)
    return sent


def huge(target, before):
    """Messages of hundreds of MiB by several clients at once, each of another type."""
    size = target.size(32, 600) * MIB

    def client(number):
        kind = (b"Q", b"P", b"B", b"d", b"p", b"E")[number % 6]
        with before() as connection:
            connection.sendall(claim(kind, size))
            taken = pour(connection, size)
            target.record("taken MiB", taken / MIB)
            # What is on its way in buffers of the system is not taken in.
            expect(taken < size, f"a message {kind!r} of {size} bytes was taken in")

    at_once(6, client)


@attack("huge messages right after startup, before the password", over="locked")
def huge_before_password(target):
    def before():
        connection = open_postgres(target)
        connection.sendall(startup())
        return connection

    huge(target, before)


@attack("huge messages where there is no password")
def huge_after_startup(target):
    huge(target, lambda: log_in(target))


@attack("huge messages of a client that was let in, over TLS", over="locked")
def huge_after_password(target):
    huge(target, lambda: log_in(target))


@attack("a startup message that is huge, or settings without an end", over="locked")
def huge_startup(target):
    for length in (0x7FFFFFFF, 0xFFFFFFFF, 10_001, 64 * MIB, 7, 0):
        with open_postgres(target) as connection, suppress(OSError):
            connection.sendall(struct.pack(">I", length) + struct.pack(">i", 3 << 16))
            expect(
                pour(connection, 32 * MIB) < 32 * MIB, f"a startup of {length} bytes was taken in"
            )


def truncations(target):
    """Valid messages cut at every byte, with lengths that fit what is left, and that do not."""
    whole = [
        parse("s", "SELECT $1, $2", (23, 25)),
        bind("p", "s", (b"1", b"ab")),
        execute("p", 5),
        describe(b"S", "s"),
        describe(b"P", "p"),
        close(b"S", "s"),
        query("SELECT 1"),
        message(b"f", b"failed\0"),
        message(b"F", struct.pack(">ihhih", 1, 0, 0, 0, 0)),
        message(b"d", b"data"),
        message(b"c"),
    ]
    for told in whole:
        body = told[5:]
        for length in range(0, len(body), target.size(4, 1)):
            yield message(told[:1], body[:length])
        yield told[:1] + struct.pack(">i", 3) + body
        yield told[:1] + struct.pack(">i", -1) + body
    for count in (-1, 0x7FFF):
        yield message(b"P", b"s\0SELECT 1\0" + struct.pack(">h", count))
        yield message(b"B", b"p\0s\0" + struct.pack(">hh", count, count))
        yield message(b"B", b"p\0s\0" + struct.pack(">hhi", 0, 1, 0x7FFFFFFF))


def not_a_bug(heard, sent):
    """No message in what was heard tells of a bug."""
    while len(heard) >= 5:
        end = 1 + int.from_bytes(heard[1:5], "big")
        if heard[:1] == b"E":
            code, sentence = error_of(heard[5:end])
            expect(code != "XX000", f"{sent[:60]!r} was answered as a bug: {sentence[:200]}")
        heard = heard[end:]


@attack("empty and truncated messages of every type, without a key")
def truncated_messages(target):
    cases = list(truncations(target))

    def client(number):
        for sent in cases[number::4]:
            with open_postgres(target) as connection, suppress(OSError):
                connection.sendall(startup() + sent + SYNC + message(b"X"))
                not_a_bug(read_to_end(connection, 5), sent)

    at_once(4, client)


@attack("empty and truncated messages in place of the password", over="locked")
def truncated_before_password(target):
    cases = list(truncations(target)) + [message(b"p"), message(b"p", b"x"), message(b"p", b"\0\0")]

    def client(number):
        for sent in cases[number :: 4 * target.size(4, 1)]:
            with open_postgres(target) as connection, suppress(OSError):
                connection.sendall(startup() + sent + SYNC)
                heard = read_to_end(connection, 5)
                not_a_bug(heard, sent)
                expect(b"Z\0\0\0\x05" not in heard, f"{sent[:60]!r} let a client in")

    at_once(4, client)


@attack("prepared statements and portals without limit")
def many_statements(target):
    text = "SELECT 1 /*" + "x" * 8 * KIB + "*/"
    count = target.size(1500, 20_000)
    started_s = time.monotonic()

    def client(_):
        with log_in(target) as connection:
            messages = Messages(connection)
            for number in range(count):
                name = f"s{number}"
                connection.sendall(parse(name, text) + bind(name, name) + SYNC)
                answer = answer_of(messages.until(b"Z")).must_not_be_bug(name)
                if answer.kind != "rows" or time.monotonic() - started_s > target.size(3, 60):
                    break
            # Those that it has keep their memory for as long as it stays.
            target.hold(1, 10)

    at_once(target.size(4, 24), client)
