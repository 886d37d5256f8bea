"""HTTP requests that are ambiguous, oversized, compressed, or traverse paths."""

import gzip
import zlib
from contextlib import suppress
from urllib.parse import quote

import flight_wire
import postgres_wire
import wire
from registry import GIB, KIB, MIB, at_once, attack, expect
from wire import ask, host_of, say, statuses

SMUGGLED = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


def ambiguous(target):
    """Requests whose end two readers could see at different places, with one hidden in them."""
    host = f"Host: {host_of(target)}\r\n"
    length = len(SMUGGLED)
    post = f"POST /v1/nothing HTTP/1.1\r\n{host}"
    for fields, body in (
        (f"Content-Length: 0\r\nContent-Length: {length}\r\n", SMUGGLED),
        (f"Content-Length: {length}\r\nContent-Length: 0\r\n", SMUGGLED),
        (f"Content-Length: 0, {length}\r\n", SMUGGLED),
        (f"Content-Length: +{length}\r\n", SMUGGLED),
        ("Content-Length: -1\r\n", SMUGGLED),
        ("Content-Length: 0x10\r\n", SMUGGLED),
        ("Content-Length: 18446744073709551617\r\n", SMUGGLED),
        (f"Content-Length : {length}\r\n", SMUGGLED),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + SMUGGLED),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("Transfer-Encoding:\x0bchunked\r\n", "0\r\n\r\n" + SMUGGLED),
        ("Transfer-Encoding: chunked\r\n", "-1\r\n" + SMUGGLED),
        ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n" + SMUGGLED),
        ("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
        ("Transfer-Encoding: chunked\r\n", "5\rhello\r\n0\r\n\r\n" + SMUGGLED),
        ("X: y\rContent-Length: 9\r\n", SMUGGLED),
        ("X: y\0z\r\n", SMUGGLED),
    ):
        yield f"{post}{fields}\r\n{body}".encode("latin-1")


@attack("requests with another one hidden in them, for a proxy to overlook")
def smuggling(target):
    cases = list(ambiguous(target))

    def client(number):
        heard = say(target, cases[number], seconds=1.5)
        expect(b'"openapi"' not in heard, f"{cases[number][:120]!r} was answered {statuses(heard)}")

    at_once(len(cases), client)


@attack("targets of requests that are no paths, by every method")
def targets(target):
    for told in (
        "localhost",
        "localhost:80",
        "*",
        "((((",
        "http://localhost",
        "http:",
        "//",
        "?",
        "#",
        "/%",
        "/\\",
        "[::1]:x",
    ):
        for method in ("GET", "POST", "CONNECT", "OPTIONS", "TRACE", "PRI", "X" * 40):
            request = (
                f"{method} {told} HTTP/1.1\r\nHost: {host_of(target)}\r\nConnection: close\r\n\r\n"
            )
            heard = say(target, request.encode(), seconds=0.5)
            expect(heard != b"", f"{method} {told} was not answered")


@attack("paths and statements that point at files outside of the data")
def traversal(target):
    secret = b"root:x:0"
    up = "../" * 12 + "etc/passwd"
    for path in (
        f"/docs/{up}",
        f"/docs/{quote(up, safe='')}",
        "/docs/" + "%2e%2e%2f" * 12 + "etc%2fpasswd",
        "/docs/" + "..%5c" * 12 + "etc%5cpasswd",
        "/docs//etc/passwd",
        "/docs/%00",
        f"/v1/reports/{quote(up, safe='')}.csv",
        f"/v1/reports/{quote(up, safe='')}",
        f"/v1/stores/{quote(up, safe='')}/uptime",
        f"/download_report?report_id={quote(up, safe='')}",
        f"/get-report/{quote(up, safe='')}",
        f"http://localhost/{up}",
        "file:///etc/passwd",
    ):
        heard = say(
            target,
            f"GET {path} HTTP/1.1\r\nHost: {host_of(target)}\r\nConnection: close\r\n\r\n".encode(),
        )
        expect(
            secret not in heard and statuses(heard)[:1] != [200],
            f"{path} was answered {statuses(heard)}",
        )
    for sql in (
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "/etc/passwd"',
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE EXTERNAL TABLE t (x text) STORED AS CSV LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/uptally-copied.csv'",
        "COPY polls FROM '/etc/passwd'",
        "INSERT INTO polls SELECT * FROM polls",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM as_of('../../etc/passwd', 1)",
    ):
        for listener in (wire, postgres_wire, flight_wire):
            answer = listener.ask_sql(target, sql).must_not_be_bug(sql)
            expect(secret.decode() not in answer.detail, f"{sql} read a file")
            # PostgreSQL clients may set what they like of their own session.
            if not sql.startswith("SET"):
                expect(
                    answer.kind == "refused",
                    f"{sql} was answered {answer.kind}: {answer.detail[:100]}",
                )


@attack("line ends and terminal sequences that forge lines of the log")
def log_injection(target):
    forged = f"forged-{target.random('log').randrange(10**9)}"
    escape = "\x1b[2J"
    lines = f"\r\n{forged} INFO logged in {escape}"
    for path in (
        f"/v1/stores/{quote(lines)}/uptime",
        f"/v1/reports/{quote(lines)}",
        f"/{quote(lines)}",
        f"/v1/sql?q={quote(lines)}",
    ):
        ask(target, "GET", path)
    for name in ("X-Request-Id", "Traceparent", "User-Agent", "Forwarded", "X-Forwarded-For"):
        say(
            target,
            f"GET /livez HTTP/1.1\r\nHost: {host_of(target)}\r\n{name}: a\r {forged}{escape}\r\nConnection: close\r\n\r\n".encode(),
        )
        say(
            target,
            f"GET /livez HTTP/1.1\r\nHost: {host_of(target)}\r\n{name}: a\n{forged}{escape}\r\nConnection: close\r\n\r\n".encode(),
        )
    for listener in (wire, postgres_wire, flight_wire):
        listener.ask_sql(target, f"SELECT '{lines}' FROM nothing{lines}")
    with postgres_wire.open_postgres(target) as connection, suppress(OSError):
        connection.sendall(postgres_wire.startup(f"ann{lines}", application_name=lines))
        connection.sendall(postgres_wire.query("SELECT 1"))
        wire.read_to_end(connection, 1)
    with open(target.log, "rb") as log:
        told = log.read()
    expect(
        not any(line.startswith(forged.encode()) for line in told.splitlines()),
        "a line of the log was forged",
    )
    expect(escape.encode() not in told, "the log holds a terminal sequence")


@attack("heads and bodies of requests that are far too large")
def oversize(target):
    host = f"Host: {host_of(target)}\r\n"
    part = b"x" * MIB

    def pour(head, parts, framing=lambda bytes_: bytes_):
        with wire.open_http(target) as connection:
            sent = 0
            with suppress(OSError):
                connection.sendall(head.encode())
                for _ in range(parts):
                    connection.sendall(framing(part))
                    sent += 1
            target.record("taken MiB", sent)
            expect(sent < parts, f"{head[:60]!r}: {parts} MiB were taken in")

    chunked = lambda bytes_: f"{len(bytes_):x}\r\n".encode() + bytes_ + b"\r\n"  # noqa: E731
    parts = target.size(64, 1024)
    cases = [
        (f"POST /v1/sql HTTP/1.1\r\n{host}Content-Length: {10 * GIB}\r\n\r\n", parts),
        (f"POST /v1/sql HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n", parts, chunked),
        (f"POST /v1/reports HTTP/1.1\r\n{host}Content-Length: {2 * GIB}\r\n\r\n", parts),
        (f"POST /livez HTTP/1.1\r\n{host}Content-Length: {2 * GIB}\r\n\r\n", parts),
        (f"GET /livez HTTP/1.1\r\n{host}X-Long: ", parts),
        (f"GET /livez HTTP/1.1\r\n{host}", parts, lambda bytes_: b"A: b\r\n" * (len(bytes_) // 6)),
        ("GET /", parts),
        ("", parts),
        (f"POST /v1/sql HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n5;", parts),
    ]
    at_once(len(cases), lambda number: pour(*cases[number]))


@attack("compressed bodies that expand to gigabytes, over HTTP and gRPC")
def decompression(target):
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    size_mib = target.size(128, 2048)
    zeros = bytes(MIB)
    bomb = b"".join(compressor.compress(zeros) for _ in range(size_mib)) + compressor.flush()
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip"):
        for path in ("/v1/sql", "/v1/reports"):
            status, _, body = ask(
                target, "POST", path, bomb[: 900 * KIB], {"Content-Encoding": coding}
            )
            expect(400 <= status < 500, f"{coding} was answered {status} {body[:100]!r}")
    # Many small encodings within each other.
    nested = bomb
    for _ in range(3):
        nested = gzip.compress(nested)
    ask(target, "POST", "/v1/sql", nested, {"Content-Encoding": "gzip, gzip, gzip, gzip"})
    for coding in ("gzip", "zstd", "deflate"):
        for method in ("DoGet", "DoPut", "DoAction"):
            with flight_wire.Client(target) as client:
                told = flight_wire.framed(bomb, is_compressed=True)
                status, sentence, _ = client.call(method, told, is_raw=True, grpc_encoding=coding)
                expect(status != flight_wire.OK, f"{coding} was taken by {method}: {sentence}")


@attack("Flight messages that are far too large")
def oversize_calls(target):
    size = target.size(64, 1024) * MIB

    def client(number):
        method = ("DoGet", "DoPut", "DoAction", "GetFlightInfo")[number % 4]
        with flight_wire.Client(target) as flight:
            call = flight.begin(method)
            told = (b"\0" + size.to_bytes(4, "big")) + bytes(1)
            flight.send(call, told)
            status, sentence, _ = flight.finish(call)
            expect(status != flight_wire.OK, f"a message of {size} bytes was taken: {sentence}")

    at_once(8, client)


@attack("reports as fast as they go, each another one")
def many_reports(target):
    count = target.size(8, 500)

    def client(number):
        for asked in range(number, count, 4):
            body = f'{{"max_gap": "{asked + 60}s"}}'.encode()
            status, told, answer = ask(target, "POST", "/v1/reports", body)
            expect(
                status in (200, 202, 429, 503), f"a report was answered {status}: {answer[:100]!r}"
            )
            if status == 503:
                expect(
                    "retry-after" in map(str.lower, told),
                    "a report was refused without Retry-After",
                )

    at_once(4, client)
