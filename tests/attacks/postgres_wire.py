"""Messages of PostgreSQL's protocol, valid or not."""

import struct

from registry import Target
from wire import ANSWER_S, Answer, connect

TLS_REQUEST = struct.pack(">ii", 8, 80877103)
GSS_REQUEST = struct.pack(">ii", 8, 80877104)
SYNC, TERMINATE, FLUSH = b"S\0\0\0\x04", b"X\0\0\0\x04", b"H\0\0\0\x04"
LIMIT_CODES = {"57014", "53200", "53100", "54000", "54001"}
BUSY_CODES = {"53000", "53300", "57P03"}


def message(kind, body=b""):
    return kind + struct.pack(">i", 4 + len(body)) + body


def text(words):
    return (words.encode() if isinstance(words, str) else words) + b"\0"


def startup(user="ann", **settings):
    named = {"user": user, "database": "uptally", **settings}
    pairs = b"".join(text(name) + text(value) for name, value in named.items())
    body = struct.pack(">i", 3 << 16) + pairs + b"\0"
    return struct.pack(">i", 4 + len(body)) + body


def query(sql):
    return message(b"Q", text(sql))


def parse(name, sql, types=()):
    return message(
        b"P", text(name) + text(sql) + struct.pack(f">h{len(types)}i", len(types), *types)
    )


def bind(portal, name, values=()):
    shown = b"".join(struct.pack(">i", len(value)) + value for value in values)
    return message(
        b"B", text(portal) + text(name) + struct.pack(">hh", 0, len(values)) + shown + b"\0\0"
    )


def describe(kind, name):
    return message(b"D", kind + text(name))


def close(kind, name):
    return message(b"C", kind + text(name))


def execute(portal, rows=0):
    return message(b"E", text(portal) + struct.pack(">i", rows))


def password(key):
    return message(b"p", text(key))


def open_postgres(target: Target, timeout_s=ANSWER_S, is_unread=False):
    """A connection before its startup, with TLS where the server has keys."""
    connection = connect(target.postgres, target.source, timeout_s, is_unread)
    tls = target.tls()
    if tls is None:
        return connection
    connection.sendall(TLS_REQUEST)
    if connection.recv(1) != b"S":
        raise ConnectionError("TLS was refused")
    return tls.wrap_socket(connection)


def log_in(target, timeout_s=ANSWER_S, is_unread=False):
    """A connection whose client is let in."""
    connection = open_postgres(target, timeout_s, is_unread)
    connection.sendall(startup() + (password(target.key) if target.key else b""))
    told = Messages(connection).until(b"ZE")
    if told[-1][0] != b"Z":
        connection.close()
        raise ConnectionError(f"the login was refused: {told[-1][1]!r}")
    return connection


class Messages:
    """The messages of a server, one after another."""

    def __init__(self, connection):
        self.connection, self.unread = connection, b""

    def next(self):
        head = self.take(5)
        return head[:1], self.take(struct.unpack(">i", head[1:])[0] - 4)

    def take(self, count):
        while len(self.unread) < count:
            part = self.connection.recv(65536)
            if not part:
                raise ConnectionError("the server has closed the connection")
            self.unread += part
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def until(self, kinds):
        """All up to the first of one of these kinds."""
        told = [self.next()]
        while told[-1][0] not in [bytes([kind]) for kind in kinds]:
            told.append(self.next())
        return told


def error_of(body):
    """Code and sentence of an error."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return fields.get(b"C", ""), fields.get(b"M", "")


def answer_of(told):
    errors = [error_of(body) for kind, body in told if kind == b"E"]
    if not errors:
        return Answer("rows", str(sum(kind == b"D" for kind, _ in told)))
    code, sentence = errors[0]
    kind = "limit" if code in LIMIT_CODES else "busy" if code in BUSY_CODES else "refused"
    return Answer("bug" if code == "XX000" else kind, f"{code} {sentence}")


def ask_sql(target, sql, timeout_s=ANSWER_S):
    try:
        with log_in(target, timeout_s) as connection:
            connection.sendall(query(sql))
            return answer_of(Messages(connection).until(b"Z"))
    except TimeoutError:
        raise
    except OSError as error:
        return Answer("closed", str(error))
