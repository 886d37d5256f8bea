"""Mutated messages to each listener, before and after authentication."""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import hpack
import pyarrow

import flight_wire
import postgres_wire
import wire
from connections import client_hello
from credentials import after_tls_request
from floods import AWAY, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS
from handles import messages, stream
from mutation import Bytes, Number, Sized, big_endian, mutated, parts
from registry import Harm
from watch import FAILURES

CLIENTS = 16
# What is not answered by then is waited for by nobody.
HEAR_S = 0.2
MUTATIONS_MAX = 4
# Of a case, in a message; `--case` shows it whole.
SHOWN_BYTES = 400
STATEMENTS = (
    b"SELECT 1",
    b"SELECT $1::int + $2, store_id FROM polls LIMIT 3",
    b"SELECT store_id, count(*) FROM polls WHERE active GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
    b"SELECT * FROM uptime(from => '2023-01-20', to => '2023-01-25', max_gap => '2h') LIMIT 3",
    b"WITH t AS (SELECT max(polled_at) AS at FROM polls) SELECT at AT TIME ZONE 'Asia/Tokyo' FROM t",
    b"SELECT to_char(polled_at, 'YYYY-MM-DD HH24:MI'), interval '1 month' FROM polls LIMIT 2",
    b"SELECT array_agg(store_no), CASE WHEN true THEN 1.5 END FROM stores WHERE store_id = ANY('{a,b}')",
    b"EXPLAIN SELECT * FROM stores s JOIN time_zones z USING (store_id)",
    b"SELECT relname FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'v')",
    b"SET statement_timeout = '2s'",
    b"SHOW server_version",
    b"BEGIN; SELECT 1; COMMIT",
)


@dataclass(frozen=True)
class Fuzzer:
    """A listener in a state: `opened` connects, `valid` draws a tree of messages."""

    words: str
    over: str
    opened: object
    valid: object
    find_bug: object


# PostgreSQL


def typed(kind, *content):
    return Sized(parts(*content), lambda length: kind + big_endian(4)(length), counted=4)


def counted(width, *listed):
    return (Number(len(listed), width), *listed)


def startup_tree(*settings):
    pairs = [
        Bytes(one + b"\0")
        for pair in ((b"user", b"ann"), (b"database", b"uptally"), *settings)
        for one in pair
    ]
    return Sized(parts(Number(3 << 16, 4), *pairs, b"\0"), big_endian(4), counted=4)


def value_tree(value):
    return Sized(Bytes(value), big_endian(4))


def session_trees(random):
    """Messages of one session."""
    sql = random.choice(STATEMENTS)
    values = [
        value_tree(one) for one in random.choice(((b"1", b"2"), (b"\0\0\0\7", b"\0" * 8), ()))
    ]
    types = [Number(random.choice((23, 25, 20, 1184, 1007, 0, 1700)), 4) for _ in values]
    formats = [Number(random.randrange(2), 2) for _ in values]
    return (
        typed(b"P", b"s\0", sql + b"\0", *counted(2, *types)),
        typed(b"D", b"S", b"s\0"),
        typed(
            b"B",
            b"p\0",
            b"s\0",
            *counted(2, *formats),
            *counted(2, *values),
            *counted(2, Number(random.randrange(2), 2)),
        ),
        typed(b"D", b"P", b"p\0"),
        typed(b"E", b"p\0", Number(random.choice((0, 1, 5)), 4)),
        typed(b"C", random.choice((b"S", b"P")), b"s\0"),
        typed(b"S"),
        typed(b"Q", random.choice(STATEMENTS) + b"\0"),
        typed(b"H"),
        typed(b"d", b"data"),
        typed(b"c"),
        typed(b"f", b"failed\0"),
        typed(b"F", Number(1, 4), *counted(2), *counted(2), Number(0, 2)),
        typed(b"S"),
        typed(b"X"),
    )


def before_password(random):
    cancel = Sized(parts(Number(80877102, 4), Number(1, 4), b"\0" * 4), big_endian(4), counted=4)
    request = Sized(parts(Number(random.choice((80877103, 80877104)), 4)), big_endian(4), counted=4)
    start = startup_tree(
        (b"application_name", b"x"), (b"client_encoding", b"UTF8"), (b"_pq_.x", b"1")
    )
    first = random.choice(
        ((start,), (request, start), (cancel,), (start, typed(b"p", b"upt_wrong\0")))
    )
    return parts(*first, *random.choice(((), session_trees(random))))


def postgres_bug(heard):
    place = heard.find(b"CXX000\0")
    return heard[place : place + 300] if place >= 0 else b""


# HTTP

PATHS = (
    (b"POST", b"/v1/sql"),
    (b"POST", b"/v1/reports"),
    (b"GET", b"/v1/sql?q=SELECT%201&format=ndjson&timeout_ms=500&max_rows=3"),
    (b"GET", b"/v1/stores?uses_default_hours=true&prefix=1&time_zone=America/Chicago"),
    (b"GET", b"/v1/stores/1177941416522642976/uptime?from=2023-01-20&to=2023-01-25"),
    (b"GET", b"/v1/explain?store=1177941416522642976"),
    (b"GET", b"/get_report?report_id=1"),
    (b"GET", b"/v1/reports/00000000-0000-0000-0000-000000000000.csv"),
    (b"GET", b"/docs"),
    (b"GET", b"/openapi.json"),
    (b"GET", b"/livez"),
    (b"DELETE", b"/v1/reports/x"),
)
BODIES = (
    b'{"sql": "SELECT $1", "params": [1], "format": "json", "max_rows": 5}',
    b'{"max_gap": "2h", "store": ["1"], "no_data": "unknown", "now": "2023-01-25T00:00:00Z"}',
    *STATEMENTS,
)


def request_tree(random):
    method, path = random.choice(PATHS)
    body = random.choice(BODIES)
    fields = [
        b"Host: localhost\r\n",
        b"Accept: "
        + random.choice((b"*/*", b"text/csv", b"application/json;q=0.1, */*;q=0"))
        + b"\r\n",
        b"Accept-Encoding: gzip, br;q=0.5\r\n",
        b"Range: bytes=0-10\r\n",
        b'If-None-Match: "x", W/"y"\r\n',
        b"Idempotency-Key: a\r\n",
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        b"Authorization: Basic YTpi\r\n",
        b"Connection: close\r\n",
    ]
    head = (method, b" ", path, b" ", b"HTTP/1.1", b"\r\n", parts(*fields))
    if random.random() < 0.5:
        framed = Sized(Bytes(body), lambda length: f"Content-Length: {length}\r\n\r\n".encode())
        return parts(*head, framed)
    chunk = Sized(Bytes(body), lambda length: f"{length:x}\r\n".encode())
    return parts(*head, b"Transfer-Encoding: chunked\r\n\r\n", chunk, b"\r\n", b"0\r\n\r\n")


def http_bug(heard):
    return heard[:300] if any(status in (500, 502) for status in wire.statuses(heard)) else b""


# Flight SQL


def proto(number, content):
    content = Bytes(content) if isinstance(content, bytes) else content
    return Sized(
        content, lambda length: flight_wire.varint(number << 3 | 2) + flight_wire.varint(length)
    )


def any_tree(name, *content):
    return parts(proto(1, (flight_wire.TYPES + name).encode()), proto(2, parts(*content)))


def frame_tree(kind, flags, stream_number, content):
    between = parts(Number(kind, 1), Number(flags, 1), Number(stream_number, 4))
    return Sized(content, big_endian(3), between=between)


IPC = messages(stream(pyarrow.record_batch({"$1": ["abc", None][:1], "$2": [7]})))


def call_tree(random):
    """A call's name and messages."""
    sql = random.choice(STATEMENTS)
    statement = any_tree("CommandStatementQuery", proto(1, sql))
    prepared = any_tree(
        "CommandPreparedStatementQuery", proto(1, len(sql).to_bytes(8, "little") + sql)
    )
    tables = any_tree("CommandGetTables", proto(2, b"%"), proto(3, b"pol%"))
    command = random.choice((statement, prepared, tables))
    descriptor = parts(b"\x08\x02", proto(2, command))
    creating = any_tree("ActionCreatePreparedStatementRequest", proto(1, sql))
    put = [
        parts(
            *([proto(1, descriptor)] if first else []),
            proto(2, header),
            proto(flight_wire.DATA_BODY, body),
        )
        for first, (header, body) in zip((True, False), IPC)
    ]
    return random.choice(
        (
            ("DoGet", [proto(1, command)]),
            ("GetFlightInfo", [descriptor]),
            ("GetSchema", [descriptor]),
            ("DoAction", [parts(proto(1, b"CreatePreparedStatement"), proto(2, creating))]),
            ("DoPut", put),
            ("DoExchange", put),
            ("Handshake", [parts(proto(2, b"x"))]),
            ("ListActions", [parts(b"")]),
        )
    )


def calls_tree(random):
    """All frames of a connection with a call."""
    name, sent = call_tree(random)
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", flight_wire.SERVICE + name),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", "1S"),
    ]
    head = Bytes(hpack.Encoder().encode(fields, huffman=False))
    framed = [Sized(one, lambda length: b"\0" + big_endian(4)(length)) for one in sent]
    return parts(
        PREFACE,
        frame_tree(SETTINGS, 0, 0, parts(Number(4, 2), Number(1 << 20, 4))),
        frame_tree(HEADERS, END_HEADERS, 1, head),
        frame_tree(DATA, END_STREAM, 1, parts(*framed)),
        frame_tree(PING, 0, 0, Bytes(b"12345678")),
        # The server closes the connection once it has answered.
        frame_tree(AWAY, 0, 0, parts(Number(0, 4), Number(0, 4))),
    )


def flight_bug(heard):
    """The status of a call that is told as a bug."""
    decoder, place = hpack.Decoder(), 0
    while place + 9 <= len(heard):
        length, kind = int.from_bytes(heard[place : place + 3], "big"), heard[place + 3]
        content = heard[place + 9 : place + 9 + length]
        # Not all of it may have come in time.
        if kind == HEADERS and len(content) == length:
            told = dict(decoder.decode(content))
            status, sentence = int(told.get("grpc-status", 0)), told.get("grpc-message", "")
            if flight_wire.answer_of(status, sentence).kind == "bug":
                return f"{status} {sentence}".encode()
        place += 9 + length
    return b""


# All


def opened_flight(target):
    connection = wire.connect(target.flight, target.source)
    tls = target.tls("h2")
    return tls.wrap_socket(connection) if tls else connection


def opened_session(target):
    return postgres_wire.log_in(target)


def hello_tree(_):
    hello = client_hello()
    return parts(Number(hello[0], 1), hello[1:3], Sized(Bytes(hello[5:]), big_endian(2)))


FUZZERS = (
    Fuzzer(
        "PostgreSQL after the login",
        "open",
        opened_session,
        lambda random: parts(*session_trees(random)),
        postgres_bug,
    ),
    Fuzzer("HTTP without keys", "open", wire.open_http, request_tree, http_bug),
    Fuzzer("Flight SQL without keys", "open", opened_flight, calls_tree, flight_bug),
    Fuzzer(
        "PostgreSQL before the password",
        "locked",
        postgres_wire.open_postgres,
        before_password,
        postgres_bug,
    ),
    Fuzzer("HTTP without a key", "locked", wire.open_http, request_tree, http_bug),
    Fuzzer("Flight SQL without a key", "locked", opened_flight, calls_tree, flight_bug),
    Fuzzer(
        "TLS of HTTP",
        "locked",
        lambda target: wire.connect(target.http, target.source),
        hello_tree,
        lambda _: b"",
    ),
    Fuzzer(
        "TLS of PostgreSQL",
        "locked",
        lambda target: after_tls_request(target.postgres, target.source),
        hello_tree,
        lambda _: b"",
    ),
)


def case(fuzzer, target, number):
    """The bytes of a case, the same for the same seed and number."""
    random = target.random(f"{fuzzer.words} {number}")
    # A few are sent as they are, so that what is mutated stays valid.
    times = random.randrange(MUTATIONS_MAX + 1)
    return mutated(random, fuzzer.valid(random), times).encode()


def try_case(fuzzer, target, number):
    said = case(fuzzer, target, number)
    heard = b""
    # A server may refuse a connection that it has no place for.
    with suppress(OSError), fuzzer.opened(target) as connection:
        with suppress(OSError):
            connection.sendall(said)
        heard = wire.read_to_end(connection, HEAR_S)
    bug = fuzzer.find_bug(heard)
    return f"{bug!r} to {said[:SHOWN_BYTES]!r}" if bug else ""


def fuzz(fuzzer, target, seconds):
    """Tries case after case for so long; the number of cases. Harm names the case."""
    ends_s, lock = time.monotonic() + seconds, threading.Lock()
    numbers, harms = iter(range(10**12)), []
    log_read = len(open(target.log, "rb").read())

    def client():
        nonlocal log_read
        while time.monotonic() < ends_s and not harms:
            with lock:
                number = next(numbers)
            told = try_case(fuzzer, target, number)
            with lock, open(target.log, "rb") as log:
                log.seek(log_read)
                lines = log.read()
                log_read += len(lines)
            failed = FAILURES.search(lines.decode(errors="replace"))
            if failed or told:
                harms.append(
                    f"seed {target.seed}, case {number} or one of {CLIENTS} before it: {told or failed[0]}"
                )

    threads = [threading.Thread(target=client, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tried = next(numbers)
    target.record("cases", tried)
    if harms:
        raise Harm(harms[0])
    return tried
