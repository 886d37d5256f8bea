"""Flight SQL: handles that the server did not issue, and bound values that lie or expand."""

import struct

import pyarrow

from flight_wire import (
    OK,
    Client,
    action,
    answer_of,
    command,
    field,
    flight_data,
    of_handle,
    ticket,
)
from registry import MIB, attack, expect

SQL = b"SELECT $1"
CONTINUED = b"\xff\xff\xff\xff"
LENGTHS = (1 << 62, (1 << 63) - 1, 1 << 40, 1 << 31, -1, -(1 << 62))


def stream(batch, compression=None):
    """A batch as Arrow IPC."""
    sink = pyarrow.BufferOutputStream()
    options = pyarrow.ipc.IpcWriteOptions(compression=compression)
    with pyarrow.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def messages(told):
    """Metadata and body of each message of a stream."""
    reader = pyarrow.ipc.MessageReader.open_stream(told)
    parts = []
    try:
        while True:
            message = reader.read_next_message()
            parts.append(
                (message.metadata.to_pybytes(), message.body.to_pybytes() if message.body else b"")
            )
    except StopIteration:
        return parts


def values(text="abc"):
    return pyarrow.record_batch({"$1": [text], "$2": [7]})


def with_number(metadata, replaced, number):
    """The metadata with one of its numbers of eight bytes replaced wherever it stands aligned."""
    return metadata[:replaced] + struct.pack("<q", number) + metadata[replaced + 8 :]


def forgeries(target):
    """Metadata of a batch with each of its numbers of eight bytes replaced, one at a time."""
    (_, _), (metadata, body) = messages(stream(values()))
    places = range(0, len(metadata) - 7, target.size(8, 4))
    for number in LENGTHS[: target.size(2, len(LENGTHS))]:
        for place in places:
            yield with_number(metadata, place, number), body


def handle(values_told):
    """A handle as this server's could look without a signature: its statement, then its values."""
    return struct.pack("<Q", len(SQL)) + SQL + values_told


def refused(call, *given):
    """A call that must be refused, and not as a bug."""
    status, sentence, _ = call(*given)
    answer_of(status, sentence).must_not_be_bug(given[0])
    return status


def use(client, forged):
    """Uses a handle by every call that takes one."""
    told = of_handle(forged)
    statuses = [
        refused(client.call, "DoGet", ticket(told)),
        refused(client.call, "GetFlightInfo", field(1, 2) + field(2, told)),
        refused(client.call, "DoPut", *bound(told, messages(stream(values())))),
    ]
    closing = action(
        "ClosePreparedStatement", command("ActionClosePreparedStatementRequest", field(1, forged))
    )
    refused(client.call, "DoAction", closing)
    return statuses


def bound(told, parts):
    (schema, _), *batches = parts
    return [flight_data(schema, told=told), *(flight_data(*batch) for batch in batches)]


@attack("a forged prepared-statement handle whose metadata claims lengths of up to 2^62")
def forged_handles(target):
    schema = messages(stream(values()))[0][0]
    with Client(target) as client:
        for metadata, body in forgeries(target):
            parts = ((schema, b""), (metadata, body))
            told = b"".join(
                CONTINUED + struct.pack("<I", len(one)) + one + more for one, more in parts
            )
            statuses = use(client, handle(told))
            expect(OK not in statuses, "a handle that the server did not issue was taken")


@attack("handles of every shape that the server did not issue, and its own with a bit flipped")
def made_up_handles(target):
    random = target.random("handles")
    with Client(target) as client:
        mine = client.prepare("SELECT 1")
        for _ in range(target.size(8, 200)):
            flipped = bytearray(mine)
            flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
            made_up = random.randbytes(random.choice((0, 1, 7, 8, 40, 4096)))
            for forged in (bytes(flipped), made_up, mine[:-1], mine + b"\0"):
                expect(
                    OK not in use(client, forged),
                    "a handle that the server did not issue was taken",
                )


@attack("a compressed handle of kilobytes that expands to more than a gigabyte")
def expanding_handles(target):
    told = stream(values("x" * target.size(128 * MIB, 1536 * MIB)), "zstd")
    with Client(target) as client:
        for _ in range(target.size(1, 4)):
            status = refused(client.call, "DoGet", ticket(of_handle(handle(told))))
            expect(status != OK, "a handle that the server did not issue was taken")


@attack("bound values through DoPut whose metadata claims lengths of up to 2^62")
def forged_values(target):
    schema = messages(stream(values()))[0]
    with Client(target) as client:
        told = of_handle(client.prepare("SELECT $1, $2"))
        for forged in forgeries(target):
            refused(client.call, "DoPut", *bound(told, (schema, forged)))
        # The schema may lie as well.
        for place in range(0, len(schema[0]) - 7, 8):
            lying = (with_number(schema[0], place, LENGTHS[0]), b"")
            refused(client.call, "DoPut", *bound(told, (lying, messages(stream(values()))[1])))


@attack("bound values that are compressed and expand to more than a gigabyte")
def expanding_values(target):
    length = target.size(128 * MIB, 1536 * MIB)
    for compression in ("zstd", "lz4"):
        parts = messages(stream(values("x" * length), compression))
        with Client(target) as client:
            told = of_handle(client.prepare("SELECT length($1), $2"))
            refused(client.call, "DoPut", *bound(told, parts))


@attack("bound values of very many batches, columns and nested levels")
def many_values(target):
    nested = pyarrow.array([None], pyarrow.int8())
    for _ in range(target.size(60, 200)):
        nested = pyarrow.ListArray.from_arrays(pyarrow.array([0, 1], pyarrow.int32()), nested)
    wide = {f"${number}": [1] for number in range(target.size(500, 20000))}
    schema, batch = messages(stream(values()))
    with Client(target) as client:
        told = of_handle(client.prepare("SELECT $1, $2"))
        for parts in (
            messages(stream(pyarrow.record_batch({"$1": nested}))),
            messages(stream(pyarrow.record_batch(wide))),
            [schema] + [batch] * target.size(500, 20000),
        ):
            refused(client.call, "DoPut", *bound(told, parts))
