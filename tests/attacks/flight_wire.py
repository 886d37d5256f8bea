"""Hand-made Flight SQL calls: protobuf, gRPC and HTTP/2, valid or not."""

import struct
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from wire import ANSWER_S, Answer, connect

SERVICE = "/arrow.flight.protocol.FlightService/"
TYPES = "type.googleapis.com/arrow.flight.protocol.sql."
COMMAND = 2  # the type of a descriptor
DATA_BODY = 1000
# Of a call that the server has ended without a status.
RESET = -1
ENDS = (h2.events.StreamEnded, h2.events.StreamReset)
KEPT = (h2.events.DataReceived, h2.events.ResponseReceived, h2.events.TrailersReceived, *ENDS)
OK, UNKNOWN, DEADLINE, EXHAUSTED, INTERNAL, UNAVAILABLE = 0, 2, 4, 8, 13, 14
# What the transport itself tells of messages that are no calls, under the status of a bug.
OF_TRANSPORT = ("Unexpected EOF decoding stream", "failed to decode Protobuf", "protocol error")
KINDS = {OK: "rows", DEADLINE: "limit", EXHAUSTED: "limit", UNAVAILABLE: "busy", RESET: "closed"}


def varint(number):
    number &= (1 << 64) - 1
    told = b""
    while number > 0x7F:
        told += bytes([number & 0x7F | 0x80])
        number >>= 7
    return told + bytes([number])


def field(number, value):
    """A field of a message: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """The fields of a message, by number."""
    told, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = number()
        if tag & 7 == 0:
            told[tag >> 3] = number()
        else:
            length = number()
            told[tag >> 3] = message[at : at + length]
            at += length
    return told


def command(name, value):
    """A command of Flight SQL, as tickets and descriptors hold it."""
    return field(1, (TYPES + name).encode()) + field(2, value)


def statement(sql):
    return command("CommandStatementQuery", field(1, sql.encode()))


def of_handle(handle):
    return command("CommandPreparedStatementQuery", field(1, handle))


def ticket(told):
    return field(1, told)


def descriptor(told):
    return field(1, COMMAND) + field(2, told)


def flight_data(header, body=b"", told=None):
    """A message of DoPut; the first one has the command."""
    first = field(1, descriptor(told)) if told else b""
    return first + field(2, header) + field(DATA_BODY, body)


def action(name, body):
    return field(1, name.encode()) + field(2, body)


def framed(message, is_compressed=False):
    return struct.pack(">?I", is_compressed, len(message)) + message


class Client:
    """A connection to the Flight listener on which calls are made one after another, or begun."""

    def __init__(self, target, timeout_s=ANSWER_S, is_unread=False):
        self.target = target
        self.socket = connect(target.flight, target.source, timeout_s, is_unread)
        tls = target.tls("h2")
        if tls:
            self.socket = tls.wrap_socket(self.socket)
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.events = []
        self.state.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.state.data_to_send())

    def begin(self, method, has_ended=False, **others):
        """A call whose messages are to come; its number."""
        call = self.state.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "https" if self.target.key else "http"),
            (":path", SERVICE + method),
            (":authority", f"localhost:{self.target.flight[1]}"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        if self.target.key:
            headers.append(("authorization", f"Bearer {self.target.key}"))
        headers += [(name.replace("_", "-"), value) for name, value in others.items()]
        self.state.send_headers(call, headers, end_stream=has_ended)
        self.flush()
        return call

    def send(self, call, data, has_ended=False):
        """Sends bytes of a call as its window lets them through, until the server ends the call."""
        while data and not self.has_ended(call):
            window = min(
                self.state.local_flow_control_window(call), self.state.max_outbound_frame_size
            )
            if window <= 0:
                self.take_events()
                continue
            self.state.send_data(call, data[:window])
            data = data[window:]
            self.flush()
        if has_ended and not self.has_ended(call):
            self.state.end_stream(call)
            self.flush()

    def has_ended(self, call):
        return any(isinstance(event, ENDS) for event in self.events if event.stream_id == call)

    def take_events(self):
        """Keeps what comes next of any call."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server has closed the connection")
        for event in self.state.receive_data(part):
            if isinstance(event, h2.events.ConnectionTerminated):
                raise ConnectionError(f"the server has ended the connection: {event.error_code}")
            if isinstance(event, h2.events.DataReceived):
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if isinstance(event, KEPT):
                self.events.append(event)
        self.flush()

    def finish(self, call):
        """Status, sentence and messages of a call that was sent."""
        while not self.has_ended(call):
            self.take_events()
        mine = [event for event in self.events if event.stream_id == call]
        self.events = [event for event in self.events if event.stream_id != call]
        data, told = b"", {}
        for event in mine:
            if isinstance(event, h2.events.DataReceived):
                data += event.data
            elif isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                told.update(dict(event.headers))
        if "grpc-status" not in told:
            return RESET, "the call was reset", []
        return int(told["grpc-status"]), told.get("grpc-message", ""), unframed(data)

    def call(self, method, *messages, is_raw=False, **others):
        """Makes a call. Raw messages hold their frames already."""
        try:
            call = self.begin(method, **others)
            data = b"".join(messages if is_raw else map(framed, messages))
            self.send(call, data, has_ended=True)
            return self.finish(call)
        except h2.exceptions.ProtocolError as error:
            raise ConnectionError(str(error)) from error

    def prepare(self, sql):
        """The handle of a prepared statement."""
        told = action(
            "CreatePreparedStatement",
            command("ActionCreatePreparedStatementRequest", field(1, sql.encode())),
        )
        status, sentence, results = self.call("DoAction", told)
        if status != OK:
            raise ConnectionError(f"{status} {sentence}")
        return fields(fields(fields(results[0])[1])[2])[1]


def unframed(data):
    messages = []
    while len(data) >= 5:
        length = int.from_bytes(data[1:5], "big")
        messages.append(data[5 : 5 + length])
        data = data[5 + length :]
    return messages


def answer_of(status, sentence):
    sentence = unquote(sentence)
    is_bug = status in (UNKNOWN, INTERNAL) and not any(told in sentence for told in OF_TRANSPORT)
    return Answer(KINDS.get(status, "bug" if is_bug else "refused"), f"{status} {sentence}")


def ask_sql(target, sql, timeout_s=ANSWER_S):
    try:
        with Client(target, timeout_s) as client:
            status, sentence, _ = client.call("DoGet", ticket(statement(sql)))
            return answer_of(status, sentence)
    except TimeoutError:
        raise
    except OSError as error:
        return Answer("closed", str(error))
