"""Connections that are silent, slow or many."""

import ssl
import time
from contextlib import suppress

import postgres_wire
import wire
from credentials import after_tls_request
from flight_wire import Client
from floods import PREFACE, frame
from registry import at_once, attack, drop, expect

# Beyond the places that each listener of SQL has.
SILENT = 528
# A listener may take so long over the first bytes, over a handshake and over a head.
OPENING_S = 15
OPENING_CHECK_S = OPENING_S + 10


def addresses(target):
    return {"HTTP": target.http, "Flight SQL": target.flight, "PostgreSQL": target.postgres}


@attack("silent connections, more than there are places, on every listener")
def silent(target):
    for address in addresses(target).values():
        kept = []
        at_once(
            16,
            lambda _, address=address, kept=kept: kept.extend(
                wire.connect(address, target.source)
                for _ in range(target.size(SILENT, 2 * SILENT) // 16)
            ),
        )
        target.hold(1, 20)
        drop(kept)


@attack("silent and idle connections to a server that may open few files", over="few-files")
def few_files(target):
    request = f"GET /livez HTTP/1.1\r\nHost: {wire.host_of(target)}\r\n\r\n".encode()
    kept = []

    def heard(_):
        # Together fewer than there are places: one that was heard keeps its place.
        for _ in range(16):
            connection = wire.connect(target.http, target.source)
            kept.append(connection)
            connection.sendall(request)
            connection.recv(1)

    def never_heard(_):
        # Together more than there are files.
        kept.extend(wire.connect(target.http, target.source) for _ in range(80))

    at_once(16, heard)
    at_once(16, never_heard)
    target.hold(1, 20)
    drop(kept)


@attack("silent connections, more than there are places, to listeners with TLS", over="locked")
def silent_with_tls(target):
    silent(target)


def drip(target, opened, said, every_s=0.2):
    """Sends a byte at a time on many connections at once; in full, the server has to end each."""
    count = target.size(60, 300)
    kept = []
    at_once(count, lambda _: kept.append(opened()))
    ends_s = time.monotonic() + target.size(1, OPENING_CHECK_S)
    # The last byte is never said: what was said as a whole is no attack any more.
    for byte in said[:-1]:
        for connection in list(kept):
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                kept.remove(connection)
        if time.monotonic() > ends_s:
            break
        time.sleep(every_s)
    if target.is_full:
        time.sleep(max(0.0, ends_s - time.monotonic()))
        left = sum(not wire.is_closed(connection) for connection in kept)
        target.record("slow connections left", left)
        expect(left == 0, f"{left} of {count} slow connections were open after {OPENING_CHECK_S} s")
    drop(kept)


def endless_head(target):
    head = f"GET /livez HTTP/1.1\r\nHost: {wire.host_of(target)}\r\n"
    return head.encode() + b"X-Slow: " + b"x" * 4000


@attack("heads of HTTP requests, a byte at a time")
def slow_heads(target):
    drip(target, lambda: wire.connect(target.http, target.source), endless_head(target))


@attack("startups of PostgreSQL clients, a byte at a time")
def slow_startups(target):
    said = postgres_wire.startup(application_name="x" * 4000)
    drip(target, lambda: wire.connect(target.postgres, target.source), said)


@attack("the first bytes of HTTP/2 to the Flight listener, a byte at a time")
def slow_prefaces(target):
    drip(target, lambda: wire.connect(target.flight, target.source), PREFACE, every_s=0.5)


@attack("heads of Flight calls, a byte at a time")
def slow_calls(target):
    said = frame(4, 0, 0) + frame(1, 0, 1, b"\x83\x87" + b"\x40\x01a\x7f\xff\xff" + b"x" * 4000)

    def opened():
        connection = wire.connect(target.flight, target.source)
        connection.sendall(PREFACE)
        return connection

    drip(target, opened, said)


def client_hello(protocols=("h2", "http/1.1")):
    """The first bytes of a handshake of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = context.wrap_bio(incoming, outgoing)
    with suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


@attack("handshakes of TLS, a byte at a time, on every listener", over="locked")
def slow_handshakes(target):
    hello = client_hello()
    openings = [
        lambda: wire.connect(target.http, target.source),
        lambda: wire.connect(target.flight, target.source),
        lambda: after_tls_request(target.postgres, target.source),
    ]
    at_once(3, lambda number: drip(target, openings[number], hello))


@attack("heads of requests by HTTPS, a byte at a time", over="locked")
def slow_heads_over_tls(target):
    drip(target, lambda: wire.open_http(target), endless_head(target))


@attack("connections that are opened and closed as fast as they go")
def churn(target):
    ends_s = time.monotonic() + target.size(1.0, 20)

    def client(number):
        address = list(addresses(target).values())[number % 3]
        while time.monotonic() < ends_s:
            wire.connect(address, target.source).close()

    at_once(9, client)


@attack("logins and calls as fast as they go, over TLS", over="locked")
def handshakes(target):
    ends_s = time.monotonic() + target.size(1.0, 20)

    def client(number):
        while time.monotonic() < ends_s:
            if number % 3 == 0:
                wire.open_http(target).close()
            elif number % 3 == 1:
                Client(target).socket.close()
            else:
                postgres_wire.open_postgres(target).close()

    at_once(9, client)
