"""Attackers and legitimate clients behind one address, as of an office or a load balancer, told
apart by their keys only."""

import time
from dataclasses import replace

import postgres_wire
from credentials import WRONG
from registry import Harm, at_once, attack, expect
from runaway import ENDLESS, LISTENERS

# Of a legitimate client, whom an attacker of the same address must not keep waiting.
SELECT_S = "SELECT 1 of a neighbour, s"
PAUSE_S = 0.25


def ask_as_neighbour(target, listener):
    neighbour = replace(target, key=target.read_key)
    began_s = time.monotonic()
    try:
        answer = listener.ask_sql(neighbour, "SELECT 1")
    except OSError as error:
        raise Harm(f"a neighbour was not answered: {type(error).__name__}: {error}") from error
    expect(answer.kind == "rows", f"a neighbour was answered {answer.kind}: {answer.detail[:200]}")
    target.record(SELECT_S, time.monotonic() - began_s)


@attack("endless queries and wrong passwords from the address of a legitimate client", over="locked")
def same_address(target):
    ends_s = time.monotonic() + target.size(2 * target.sql_time_s, 30)
    wrong = replace(target, key=WRONG)

    def neighbour(listener):
        while time.monotonic() < ends_s:
            ask_as_neighbour(target, listener)
            time.sleep(PAUSE_S)

    def attacker(number):
        while time.monotonic() < ends_s:
            if number % 4 == 3:
                postgres_wire.ask_sql(wrong, "SELECT 1")
            else:
                LISTENERS[number % 4].ask_sql(target, ENDLESS)

    neighbours = len(LISTENERS)
    at_once(
        neighbours + target.size(12, 40),
        lambda number: neighbour(LISTENERS[number]) if number < neighbours else attacker(number),
    )
