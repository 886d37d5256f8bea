"""SQL queries that loop or allocate where engines rarely check limits."""

import time

import flight_wire
import postgres_wire
import wire
from registry import MIB, Harm, at_once, attack, expect
from watch import memory_bytes, processor_s

LISTENERS = (wire, postgres_wire, flight_wire)
# Time that an error may need beyond the limit of a query's time.
LATE = "late ms"
BUSY = "cores 1 s later"
KEPT = "MiB 1 s later"

# Such questions have all the memory that processes of queries may have.
ALL = float("inf")
TEXT_60_MB = "repeat('x', 60000000)"
DOUBLING = """
    WITH RECURSIVE doubled AS (
        SELECT repeat('x', 1000) AS s, 1 AS n
        UNION ALL SELECT s || s, n + 1 FROM doubled WHERE n < 40
    ) SELECT max(length(s)) FROM doubled
"""
BRANCHING = """
    WITH RECURSIVE branching AS (
        SELECT 1 AS n
        UNION ALL SELECT n + 1 FROM branching, generate_series(1, 100) WHERE n < 40
    ) SELECT count(*) FROM branching
"""
ENDLESS = "WITH RECURSIVE endless AS (SELECT 1 AS n UNION ALL SELECT n FROM endless) SELECT sum(n) FROM endless"


def names_for_names(levels):
    """Each name stands for two of the one before it."""
    steps = ["t0 AS (SELECT 1 AS x)"]
    steps += [f"t{n} AS (SELECT a.x FROM t{n - 1} a, t{n - 1} b)" for n in range(1, levels)]
    return f"WITH {', '.join(steps)} SELECT count(*) FROM t{levels - 1}"


# What each of them does, for a person who reads a failure.
QUESTIONS = {
    "distance of two long texts": "SELECT levenshtein(repeat('ab', 15000000), repeat('ba', 15000000))",
    "a replacement that multiplies": "SELECT length(regexp_replace(repeat('x', 1000000), 'x', repeat('y', 10000), 'g'))",
    "a plain replacement that multiplies": "SELECT length(replace(repeat('x', 1000000), 'x', repeat('y', 10000)))",
    "a regex a row": "SELECT count(*) FROM polls WHERE regexp_like(store_id, '(' || store_id || '|x){0,500}')",
    "a regex that expands": "SELECT regexp_like(repeat('a', 1000000), '((a{0,100}){0,100}){0,100}b')",
    "a regex over a long text": "SELECT regexp_count(repeat('ab', 50000000), '(a|b|ab)*c')",
    "constants of 60 MB joined": "SELECT length(" + " || ".join([TEXT_60_MB] * 100) + ")",
    "concat of constants": "SELECT length(concat(" + ", ".join([TEXT_60_MB] * 100) + "))",
    "repeat of repeat": "SELECT length(repeat(repeat('x', 100000000), 100))",
    "padding to gigabytes": "SELECT length(lpad('x', 2000000000, 'y')), length(rpad('x', 2000000000, 'y'))",
    "padding a row": "SELECT max(length(lpad(store_id, 1000000, 'y'))) FROM polls",
    "a list of long texts": "SELECT array_length(make_array(" + ", ".join([TEXT_60_MB] * 50) + "))",
    "a struct of long texts": "SELECT named_struct("
    + ", ".join(f"'f{n}', {TEXT_60_MB}" for n in range(50))
    + ")",
    "a list of a billion": "SELECT array_length(array_repeat(array_repeat(1, 100000), 10000))",
    "a range as a list": "SELECT array_length(range(0, 5000000000))",
    "lists joined": "SELECT array_length(array_concat("
    + ", ".join(["range(0, 30000000)"] * 20)
    + "))",
    "lists compared": "SELECT array_length(array_intersect(range(0, 50000000), range(0, 50000000)))",
    "texts split": "SELECT array_length(string_to_array(repeat('a,', 100000000), ','))",
    "texts of lists": "SELECT length(array_to_string(array_repeat(repeat('x', 100000), 100000), ','))",
    "a doubling recursion": DOUBLING,
    "a branching recursion": BRANCHING,
    "a recursion without an end": ENDLESS,
    "all rows in one text": "SELECT length(string_agg(repeat('x', 100000), ',')) FROM polls",
    "all rows in one list": "SELECT array_length(array_agg(repeat(store_id, 10000))) FROM polls",
    "cross joins": "SELECT count(*) FROM polls a, polls b, polls c WHERE a.store_no + b.store_no = c.store_no * 3",
    "a sorted cross join": "SELECT a.store_id || b.store_id AS s FROM polls a, polls b ORDER BY s DESC LIMIT 5",
    "a distinct cross join": "SELECT count(DISTINCT a.store_id || b.polled_at::text) FROM polls a, polls b",
    "a window over a cross join": "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY a.polled_at, b.polled_at) AS n FROM polls a, polls b)",
    "a series of 10^12": "SELECT sum(value) FROM generate_series(1, 1000000000000)",
    "series joined": "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b WHERE a.value % 7 = b.value % 11",
    "an overflow of offsets": "SELECT sum(length(store_id || s)) FROM polls, (SELECT repeat('x', 1000000) AS s)",
    "an overflow of offsets by grouping": "SELECT s || store_id AS g, count(*) FROM polls, (SELECT repeat('x', 300000) AS s) GROUP BY g",
    "brackets, deeply nested": "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "calls, deeply nested": "SELECT " + "abs(" * 3000 + "1" + ")" * 3000,
    "queries, deeply nested": "SELECT * FROM " + "(SELECT * FROM " * 1000 + "polls" + ") t" * 1000,
    "a long chain of operators": "SELECT " + " + ".join(["1"] * 20000),
    "a long chain of conditions": "SELECT count(*) FROM polls WHERE "
    + " OR ".join(f"store_no = {n}" for n in range(10000)),
    "a long list": "SELECT count(*) FROM polls WHERE store_no IN ("
    + ", ".join(map(str, range(50000)))
    + ")",
    "a long union": " UNION ALL ".join(["SELECT 1"] * 3000),
    "cases, deeply nested": "SELECT " + "CASE WHEN true THEN " * 1000 + "1" + " END" * 1000,
    "names that stand for names": names_for_names(40),
    "digests of long texts": "SELECT count(*) FROM (SELECT sha512(repeat(store_id, 1000000)) FROM polls)",
    "numbers of many digits": "SELECT power(power(9999999999::decimal(38, 0), 3), 3)",
    "dates a row": "SELECT count(*) FROM polls WHERE to_char(polled_at, repeat('YYYY', 1000000)) = ''",
    "a range of the report": "SELECT count(*) FROM uptime('0001-01-01', '9999-12-31')",
}
# The errors of texts that no parser need take.
REFUSALS = {"rows", "refused", "limit", "busy"}


def ask(listener, target, words):
    """Asks, and records how much later than its limit the answer comes."""
    asked_s = time.monotonic()
    try:
        answer = listener.ask_sql(
            target, QUESTIONS[words], timeout_s=target.sql_time_s + target.size(60, 20)
        )
    except TimeoutError:
        raise Harm(f"{words}: not answered within {time.monotonic() - asked_s:.0f} s") from None
    took_s = time.monotonic() - asked_s
    target.record(LATE, max(0.0, took_s - target.sql_time_s) * 1000)
    expect(
        answer.kind in REFUSALS,
        f"{words}: {answer.kind} by {listener.__name__}: {answer.detail[:300]}",
    )


@attack("runaway questions, many at once, on all listeners", memory_bytes=ALL)
def many_at_once(target):
    words = list(QUESTIONS)
    target.random("runaway").shuffle(words)
    clients = target.size(6, 24)

    def client(number):
        for place, asked in enumerate(words[number::clients]):
            ask(LISTENERS[(number + place) % 3], target, asked)

    at_once(clients, client)


@attack("the distance of two long texts, forty at once", memory_bytes=ALL)
def distances(target):
    words = "distance of two long texts"
    at_once(target.size(8, 40), lambda number: ask(LISTENERS[number % 3], target, words))


@attack("a doubling recursion, twelve at once", memory_bytes=ALL)
def recursions(target):
    words = "a doubling recursion"
    at_once(target.size(6, 12), lambda number: ask(LISTENERS[number % 3], target, words))


@attack("an overflow of offsets by a question that joins long texts", memory_bytes=ALL)
def overflows(target):
    for listener in LISTENERS[: target.size(1, 3)]:
        ask(listener, target, "an overflow of offsets")
        ask(listener, target, "an overflow of offsets by grouping")


@attack("runaway questions one by one, whose core and memory must be free a second later", memory_bytes=ALL)
def one_by_one(target):
    words = list(QUESTIONS)
    for number, asked in enumerate(words[:: target.size(len(words) // 2, 1)]):
        before = memory_bytes(target.pid)
        ask(LISTENERS[number % 3], target, asked)
        time.sleep(1)
        target.record(KEPT, (memory_bytes(target.pid) - before) / MIB)
        used_s = processor_s(target.pid)
        time.sleep(0.5)
        target.record(BUSY, (processor_s(target.pid) - used_s) / 0.5)


@attack("clients that ask something long and go away at once", memory_bytes=ALL)
def gone_clients(target):
    sql = QUESTIONS["cross joins"]

    def client(number):
        connection = postgres_wire.log_in(target)
        connection.sendall(postgres_wire.query(sql))
        connection.close()
        with wire.open_http(target) as plain:
            body = sql.encode()
            head = f"POST /v1/sql HTTP/1.1\r\nHost: {wire.host_of(target)}\r\nContent-Length: {len(body)}\r\n\r\n"
            plain.sendall(head.encode() + body)
        with flight_wire.Client(target) as flight:
            call = flight.begin("DoGet")
            flight.send(
                call,
                flight_wire.framed(flight_wire.ticket(flight_wire.statement(sql))),
                has_ended=True,
            )

    for _ in range(target.size(2, 10)):
        at_once(12, client)
