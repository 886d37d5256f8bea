"""Sockets to a server, and HTTP/1 over them, valid or not."""

import http.client
import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from registry import Harm

ANSWER_S = 60
# As little as the system lets a client take in that does not read.
UNREAD_BYTES = 4096


@dataclass
class Answer:
    """Answer of a server: `kind` is rows, refused, limit, busy, bug or closed."""

    kind: str
    detail: str

    def must_not_be_bug(self, asked):
        if self.kind == "bug":
            raise Harm(f"{asked[:200]!r} was answered as a bug: {self.detail[:300]}")
        return self


def connect(address, source, timeout_s=ANSWER_S, is_unread=False):
    connection = socket.socket()
    connection.settimeout(timeout_s)
    if is_unread:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.bind((source, 0))
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def open_http(target, timeout_s=ANSWER_S, is_unread=False):
    """A connection to the HTTP listener, with TLS where it wants that."""
    connection = connect(target.http, target.source, timeout_s, is_unread)
    tls = target.tls("http/1.1")
    return tls.wrap_socket(connection) if tls else connection


def read_to_end(connection, seconds, bytes_max=1 << 20):
    """Reads until the server closes, or the time is over."""
    heard, ends_at = b"", time.monotonic() + seconds
    with suppress(OSError):
        while len(heard) < bytes_max:
            connection.settimeout(max(0.01, ends_at - time.monotonic()))
            part = connection.recv(65536)
            if not part:
                return heard
            heard += part
            if time.monotonic() >= ends_at:
                break
    return heard


def is_closed(connection):
    """True if the server has closed the connection; reads pending data first."""
    connection.settimeout(0.01)
    try:
        while connection.recv(65536):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def say(target, said, seconds=2.0):
    """Sends bytes to the HTTP listener, and hears it out."""
    with open_http(target) as connection:
        with suppress(OSError):
            connection.sendall(said)
        return read_to_end(connection, seconds)


def statuses(heard):
    """Splits the answers, in order."""
    begins = [part for part in heard.split(b"HTTP/1.") if part[1:2] == b" "]
    return [int(begin[2:5]) for begin in begins]


def host_of(target):
    return f"localhost:{target.http[1]}"


def ask(target, method, path, body=None, headers=(), timeout_s=ANSWER_S):
    """Status, headers and body of a valid request's answer; the key is shown where there is one."""
    connection = http.client.HTTPConnection(*target.http, timeout=timeout_s)
    connection.sock = open_http(target, timeout_s)
    try:
        given = dict(headers)
        connection.putrequest(method, path, skip_host="Host" in given, skip_accept_encoding=True)
        if target.key and "Authorization" not in given:
            given["Authorization"] = f"Bearer {target.key}"
        if body is not None and "Transfer-Encoding" not in given:
            given.setdefault("Content-Length", len(body))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()


def ask_sql(target, sql, timeout_s=ANSWER_S):
    try:
        status, _, body = ask(target, "POST", "/v1/sql", sql.encode(), timeout_s=timeout_s)
    except TimeoutError:
        raise
    except OSError as error:
        return Answer("closed", str(error))
    detail = f"{status} {body[:2000].decode(errors='replace')}"
    kinds = {200: "rows", 422: "limit", 429: "busy", 503: "busy"}
    return Answer(kinds.get(status, "bug" if status >= 500 else "refused"), detail)


def trigger(target, **options):
    """The id of a new report."""
    body = json.dumps(options).encode()
    status, _, told = ask(target, "POST", "/v1/reports", body)
    if status != 202 and status != 200:
        raise ConnectionError(f"a report was answered {status}: {told[:200]}")
    return json.loads(told)["id"]


def sql_path(sql):
    return f"/v1/sql?q={quote(sql)}"
