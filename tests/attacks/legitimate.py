"""Legitimate clients of a server under attack, in a separate process, and their waiting times."""

import json
import threading
import time
from dataclasses import dataclass, replace

import flight_wire
import postgres_wire
import wire
from registry import LEGITIMATE

QUESTION = "SELECT 1"
# Work that others wait for may be late (409), and refused by a server that is full (429, 503).
WELL = (200, 409, 429, 503)


@dataclass
class Asked:
    """A question of a legitimate client; `wrong` is empty where it was answered well."""

    name: str
    began_s: float
    took_s: float
    wrong: str


def livez(target):
    status, _, body = wire.ask(target, "GET", "/livez", timeout_s=target.sql_time_s + 30)
    return "" if status == 200 else f"{status} {body[:200]}"


def select(listener):
    def asked(target):
        answer = listener.ask_sql(target, QUESTION, timeout_s=target.sql_time_s + 30)
        return "" if answer.kind == "rows" else f"{answer.kind}: {answer.detail}"

    return asked


def report(target):
    """A report that nobody asked for before, and its file."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1674500000 + time.monotonic_ns() % 10**6))
    status, _, body = wire.ask(target, "POST", "/v1/reports", f'{{"now": "{now}"}}'.encode())
    if status == 202:
        ident = json.loads(body)["id"]
        wire.ask(target, "GET", f"/v1/reports/{ident}?wait=60s")
        status, _, body = wire.ask(target, "GET", f"/v1/reports/{ident}.csv")
    return "" if status in WELL else f"{status} {body[:200]}"


def stores(target):
    status, _, body = wire.ask(target, "GET", "/v1/stores")
    return "" if status in WELL else f"{status} {body[:200]}"


LIVEZ = "/livez"
SELECTS = {
    "HTTP": select(wire),
    "Flight SQL": select(flight_wire),
    "PostgreSQL": select(postgres_wire),
}
# Each kind of client with the pause between two of its questions.
CLIENTS = {
    LIVEZ: (livez, 0.05),
    **{name: (asked, 0.25) for name, asked in SELECTS.items()},
    "reports": (report, 2.0),
    "stores": (stores, 1.0),
}

AWAITED = {LIVEZ, *SELECTS}


def ask_on(target, pipe):
    """Asks until the pipe is closed; sends what was asked since, whenever something comes by it.

    The message is an instant, since which `/livez` and every listener were asked and have answered.
    """
    target = replace(target, source=LEGITIMATE, figures={})
    lock, asked, has_ended = threading.Condition(), [], threading.Event()

    def client(name):
        ask, pause_s = CLIENTS[name]
        while not has_ended.is_set():
            began_s = time.monotonic()
            try:
                wrong = ask(target)
            except OSError as error:
                wrong = f"{type(error).__name__}: {error}"
            with lock:
                asked.append(Asked(name, began_s, time.monotonic() - began_s, wrong))
                lock.notify_all()
            has_ended.wait(pause_s)

    for name in CLIENTS:
        threading.Thread(target=client, args=[name], daemon=True).start()
    try:
        while True:
            since_s = pipe.recv()
            with lock:
                lock.wait_for(
                    lambda: AWAITED <= {one.name for one in asked if one.began_s >= since_s}
                )
                taken, asked[:] = list(asked), []
            pipe.send(taken)
    except EOFError:
        has_ended.set()


def percentile(times_s, share):
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Legitimate:
    """The clients of a server; `asked_since` hears of them."""

    def __init__(self, processes, target):
        self.pipe, theirs = processes.Pipe()
        self.process = processes.Process(target=ask_on, args=[target, theirs], daemon=True)
        self.process.start()
        theirs.close()

    def asked_since(self, since_s):
        self.pipe.send(since_s)
        return self.pipe.recv()

    def end(self):
        self.pipe.close()
        self.process.join(timeout=10)
        self.process.kill()
