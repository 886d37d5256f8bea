"""Keys, roles and encryption: clients that gain access or exceed their permissions."""

import ssl
import time
from contextlib import suppress
from dataclasses import replace

import flight_wire
import postgres_wire
import wire
from registry import at_once, attack, expect

WRONG = "upt_wrong"
# What the server says once a client is let in.
READY, ADMITTED = b"Z\0\0\0\x05", b"R\0\0\0\x08"
UNAUTHENTICATED = 16


def injected(target, request, behind):
    """Bytes that the server sends unasked after clear text followed a TLS request."""
    heard = b""
    # The server may close the connection at any point.
    with suppress(OSError), wire.connect(target.postgres, target.source) as connection:
        connection.sendall(request + behind)
        heard = connection.recv(1)
        if heard == b"S":
            connection = target.tls().wrap_socket(connection)
        heard += wire.read_to_end(connection, 1)
    return heard


@attack("clear text behind a request for TLS, taken as if it had come over TLS", over="locked")
def injected_before_tls(target):
    start, question = postgres_wire.startup(), postgres_wire.query("SELECT 1")
    login = start + postgres_wire.password(target.key) + question
    for request in (
        postgres_wire.TLS_REQUEST,
        postgres_wire.GSS_REQUEST + postgres_wire.TLS_REQUEST,
    ):
        for behind in (login, start, question, b"\0"):
            heard = injected(target, request, behind)
            expect(READY not in heard, f"{behind[:20]!r} was let in")
            expect(ADMITTED not in heard, f"{behind[:20]!r} was answered: {heard[:60]!r}")


@attack("TLS of versions and ciphers that are broken", over="locked")
def old_tls(target):
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        for address, opened in (
            (target.http, wire.connect),
            (target.flight, wire.connect),
            (target.postgres, after_tls_request),
        ):
            context = target.tls()
            # The client itself would refuse them as well.
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with opened(address, target.source) as connection:
                try:
                    context.wrap_socket(connection).close()
                except OSError:
                    continue
            expect(False, f"{version.name} was spoken at {address}")


def after_tls_request(address, source):
    """A connection to the PostgreSQL listener that is to be encrypted next."""
    connection = wire.connect(address, source)
    connection.sendall(postgres_wire.TLS_REQUEST)
    if connection.recv(1) != b"S":
        connection.close()
        raise ConnectionError("a request for TLS was refused")
    return connection


def by_http(target):
    status, _, _ = wire.ask(target, "GET", "/v1/stores")
    expect(status == 401, f"a wrong key was answered {status}")


def by_flight(target):
    with flight_wire.Client(target) as client:
        status, _, _ = client.call("ListActions", b"")
        expect(status == UNAUTHENTICATED, f"a wrong key was answered {status}")


def by_postgres(target):
    with postgres_wire.open_postgres(target) as connection:
        connection.sendall(
            postgres_wire.startup()
            + postgres_wire.password(target.key)
            + postgres_wire.query("SELECT 1")
        )
        expect(READY not in wire.read_to_end(connection, 8), "a wrong password let a client in")


@attack("passwords tried as fast as they go, on every listener", over="locked")
def wrong_passwords(target):
    ends_s = time.monotonic() + target.size(1.0, 20)
    wrong = replace(target, key=WRONG)

    def client(number):
        while time.monotonic() < ends_s:
            (by_http, by_flight, by_postgres)[number % 3](wrong)

    at_once(9, client)


@attack("keys that are almost right, and heads that hold several", over="locked")
def almost_right_keys(target):
    key = target.key
    last = "0" if key[-1] != "0" else "1"
    wrong = (" ", key[:-1], key + "0", key.upper(), key[:-1] + last, "x" * 9000)
    asks = [
        (ask, replace(target, key=one))
        for one in wrong
        for ask in (by_http, by_flight, by_postgres)
    ]
    # A wrong password is answered late, so that all are tried at once.
    at_once(len(asks), lambda number: asks[number][0](asks[number][1]))
    for told in (f"Basic {key}", key, f"Bearer {key} {key}", f"Bearer,{key}"):
        status, _, _ = wire.ask(target, "GET", "/v1/stores", headers={"Authorization": told})
        expect(status == 401, f"a malformed key was answered {status}")


@attack("a key that may only read, used to run, cancel and forget reports", over="locked")
def too_small_roles(target):
    ident = wire.trigger(target, max_gap="9h")
    reader = replace(target, key=target.read_key)
    status, _, _ = wire.ask(reader, "GET", f"/v1/reports/{ident}")
    expect(status == 200, f"a key that may read was answered {status}")
    for method, path in (
        ("POST", "/v1/reports"),
        ("POST", "/trigger-report"),
        ("POST", "/trigger_report"),
        ("GET", "/trigger_report"),
        ("HEAD", "/trigger_report"),
        ("DELETE", f"/v1/reports/{ident}"),
    ):
        body = b"{}" if method == "POST" else None
        status, _, _ = wire.ask(reader, method, path, body)
        expect(status == 403, f"{method} {path} was answered {status} to a key that may only read")


@attack("requests to cancel the statements of others")
def cancels(target):
    random = target.random("cancels")
    for _ in range(target.size(100, 5000)):
        with wire.connect(target.postgres, target.source) as connection:
            secret = random.choice((4, 4, 32, 256))
            told = (80877102).to_bytes(4, "big") + random.randbytes(4) + random.randbytes(secret)
            connection.sendall((4 + len(told)).to_bytes(4, "big") + told)
