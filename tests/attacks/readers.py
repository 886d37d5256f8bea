"""Clients that never read answers, read slowly, or never complete requests."""

import re
import time
from contextlib import suppress

import flight_wire
import postgres_wire
import wire
from registry import MIB, at_once, attack

# More than buffers of the system hold.
LONG = "SELECT repeat('x', 1000) FROM generate_series(1, 50000)"


def keep(target, count, opened):
    """Opens so many connections, and keeps them for a while."""
    kept = []

    def client(number):
        kept.append(opened(number))

    at_once(count, client)
    target.hold(target.sql_time_s + 0.3, 2 * target.sql_time_s)
    for one in kept:
        with suppress(OSError):
            one.close()


@attack("PostgreSQL clients that ask and never read")
def unread_postgres(target):
    def opened(_):
        connection = postgres_wire.log_in(target, is_unread=True)
        connection.sendall(postgres_wire.query(LONG))
        return connection

    keep(target, target.size(12, 40), opened)


@attack("Flight clients that ask and never read")
def unread_flight(target):
    def opened(_):
        client = flight_wire.Client(target, is_unread=True)
        call = client.begin("DoGet")
        client.send(
            call,
            flight_wire.framed(flight_wire.ticket(flight_wire.statement(LONG))),
            has_ended=True,
        )
        return client.socket

    keep(target, target.size(12, 40), opened)


def asked_by_http(target):
    connection = wire.open_http(target, is_unread=True)
    request = f"POST /v1/sql HTTP/1.1\r\nHost: {wire.host_of(target)}\r\nContent-Length: {len(LONG)}\r\n\r\n{LONG}"
    connection.sendall(request.encode())
    return connection


@attack("HTTP clients that ask and never read")
def unread_http(target):
    keep(target, target.size(12, 40), lambda _: asked_by_http(target))


@attack("slow readers of answers to SQL by HTTP")
def slow_http(target):
    ends_at = time.monotonic() + target.size(target.sql_time_s + 1, 40)

    def client(_):
        with asked_by_http(target) as connection:
            while time.monotonic() < ends_at and connection.recv(16):
                time.sleep(0.1)

    at_once(40, client)


@attack("portals that are suspended after a row and kept")
def suspended_portals(target):
    def opened(_):
        connection = postgres_wire.log_in(target)
        told = postgres_wire
        asked = told.parse("", LONG) + told.bind("kept", "") + told.execute("kept", 1) + told.FLUSH
        connection.sendall(asked)
        told.Messages(connection).until(b"sE")
        return connection

    keep(target, target.size(12, 40), opened)


# Rows of many columns, in batches of some 30 MB.
WIDE = f"SELECT {', '.join(['value'] + [f'repeat(chr(97 + {n}), 500) AS c{n}' for n in range(8)])} FROM generate_series(1, 20000)"


@attack("portals over wide rows, as many as a connection may have, suspended after a row and kept")
def wide_portals(target):
    def opened(_):
        connection = postgres_wire.log_in(target)
        told = postgres_wire
        messages = told.Messages(connection)
        connection.sendall(told.query("BEGIN"))
        messages.until(b"Z")
        for number in range(8):
            portal = f"p{number}"
            asked = told.parse("", WIDE) + told.bind(portal, "") + told.execute(portal, 1)
            connection.sendall(asked + told.FLUSH)
            # There may be no room for one more.
            if messages.until(b"sE")[-1][0] == b"E":
                break
        return connection

    keep(target, target.size(6, 40), opened)


def keep_unread(target, connections, requests):
    """Keeps connections over which much was asked and nothing is read."""

    def opened(_):
        connection = wire.open_http(target, is_unread=True)
        connection.sendall(requests)
        return connection

    keep(target, connections, opened)


@attack("answers that nobody reads: files of /docs on hundreds of connections")
def unread_files(target):
    _, _, page = wire.ask(target, "GET", "/docs")
    names = re.findall(rb'(?:src|href)="[./]*docs/([^"]+)"', page)
    names = [name.decode() for name in names] or ["no-such-file"]
    host = wire.host_of(target)
    requests = "".join(
        f"GET /docs/{names[number % len(names)]} HTTP/1.1\r\nHost: {host}\r\n\r\n"
        for number in range(50)
    ).encode()

    keep_unread(target, target.size(150, 730), requests)


@attack("downloads of a report that nobody reads")
def unread_downloads(target):
    ident = wire.trigger(target)
    wire.ask(target, "GET", f"/v1/reports/{ident}?wait=60s")
    paths = [f"/v1/reports/{ident}.{name}" for name in ("csv", "ndjson", "json", "parquet")]
    requests = "".join(
        f"GET {paths[number % 4]} HTTP/1.1\r\nHost: {wire.host_of(target)}\r\n\r\n"
        for number in range(40)
    ).encode()

    keep_unread(target, target.size(100, 500), requests)


@attack("Flight calls that are begun and never ended")
def endless_calls(target):
    def opened(number):
        client = flight_wire.Client(target)
        for _ in range(target.size(20, 90)):
            method = ("DoPut", "DoExchange", "Handshake", "DoGet", "DoAction")[number % 5]
            call = client.begin(method)
            # The head of a message that promises 3 MiB, of which little comes.
            client.send(call, flight_wire.framed(bytes(3 * MIB))[: target.size(2000, 20_000)])
        return client.socket

    keep(target, target.size(40, 250), opened)


@attack("bodies of HTTP requests that never end")
def endless_bodies(target):
    head = (
        f"POST /v1/sql HTTP/1.1\r\nHost: {wire.host_of(target)}\r\nContent-Length: 1000000\r\n\r\n"
    )

    def opened(_):
        connection = wire.open_http(target)
        connection.sendall(head.encode() + bytes(900_000))
        return connection

    keep(target, target.size(60, 500), opened)
