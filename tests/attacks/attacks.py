"""Runs every attack against servers with legitimate clients beside it, and checks the effects.

Small, as in CI: each attack once, checking all but speed: the server survives, its log shows no
panic, no answer is a bug, legitimate clients are answered, memory stays bounded. In full: larger
and longer, a soak of all attacks mixed, long fuzzing, and time limits as well. Prints a table in
Markdown.
"""

import argparse
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait

# Each of these registers its attacks.
import browsers  # noqa: F401
import connections  # noqa: F401
import credentials  # noqa: F401
import floods  # noqa: F401
import handles  # noqa: F401
import http_requests  # noqa: F401
import neighbours
import postgres_messages  # noqa: F401
import readers  # noqa: F401
import runaway
from attacked import ROOT, Server
from fuzzing import FUZZERS, case, fuzz
from registry import ATTACKS, GIB, MIB, SERVERS, Harm, Target
from results import HEAD, RULE, Measured, Scale, judge
from watch import memory_bytes

NICENESS = 10
NOT_LED = "could not be led"
CALM_S = 60
SOAK_AT_ONCE = 4
# Bytes that may remain a minute after it.
KEPT_BYTES = 150 * MIB


def scales(arguments):
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = arguments.memory_mib * MIB if arguments.memory_mib else None
    if arguments.full:
        # A quarter of the machine is what a server takes without a setting.
        figures = {
            runaway.LATE: 200,
            runaway.BUSY: 0.5,
            runaway.KEPT: KEPT_BYTES / MIB,
            neighbours.SELECT_S: 1.0,
        }
        return Scale(True, (), 10, 900, memory or machine_bytes / 4, 0.02, 0.2, 1.0, figures)
    settings = ("--sql-time", "2s", "--sql-memory", "64MiB", "--sql-at-once", "4")
    # However slow a machine is, a client that waits so long starves.
    return Scale(False, settings, 2, 60, memory or 2 * GIB, select_s=10.0)


def measure(scale, servers, words, work, memory_bytes=float("inf")):
    """Leads `work`, which returns figures and harms, and measures the servers meanwhile."""
    for server in servers:
        server.watch.taken_most_bytes()
    began_s = time.monotonic()
    figures, harms = work()
    took_s = time.monotonic() - began_s
    asked, most_bytes = [], 0
    for server in servers:
        asked += server.clients.asked_since(began_s)
        most_bytes = max(most_bytes, server.watch.taken_most_bytes())
        harms = harms + server.watch.harms()
    measured = judge(
        scale, Measured(words, took_s, most_bytes, asked, figures, harms), memory_bytes
    )
    print(measured.row(), flush=True)
    for server in servers:
        server.revive()
    return measured


def led(pipe, target, words, fuzz_s):
    """In a process of its own: leads the attack, or fuzzes for so long; tells figures and harm."""
    os.nice(NICENESS)
    # A connection is a file, and attackers open thousands; the server has what it was given.
    files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))
    harm = ""
    try:
        if fuzz_s:
            fuzz(next(fuzzer for fuzzer in FUZZERS if fuzzer.words == words), target, fuzz_s)
        else:
            next(one for one in ATTACKS if one.words == words).work(target)
    except Harm as error:
        harm = str(error)
    except Exception as error:  # noqa: BLE001 - an attack that could not be led is one that was not tried
        harm = f"{NOT_LED}: {type(error).__name__}: {error}"
    pipe.send((target.figures, harm))


class Attacker:
    """A process that leads the attack of these words, or fuzzes for so long."""

    def __init__(self, processes, target, words, fuzz_s=0):
        self.ours, theirs = processes.Pipe()
        self.process = processes.Process(
            target=led, args=[theirs, target, words, fuzz_s], daemon=True
        )
        self.process.start()
        theirs.close()

    def outcome(self, seconds):
        """Figures and harms, within so long."""
        figures, harm = {}, f"not over after {seconds:.0f} s"
        try:
            if self.ours.poll(seconds):
                figures, harm = self.ours.recv()
        except EOFError:
            harm = f"{NOT_LED}: the attacker has died"
        self.end()
        return figures, [harm] if harm else []

    def has_told(self):
        return self.ours.poll()

    def end(self):
        self.process.kill()
        self.process.join()


def lead_all(processes, arguments, scale, server):
    for one in ATTACKS:
        if one.over == server.over and arguments.only in one.words:
            yield measure(
                scale,
                [server],
                one.words,
                lambda one=one: Attacker(processes, server.target, one.words).outcome(
                    scale.attack_s_max
                ),
                one.memory_bytes,
            )


def fuzz_all(processes, arguments, scale, server):
    for fuzzer in FUZZERS:
        words = f"fuzzing {fuzzer.words}"
        if fuzzer.over == server.over and arguments.only in words:
            yield measure(
                scale,
                [server],
                words,
                lambda fuzzer=fuzzer: Attacker(
                    processes, server.target, fuzzer.words, arguments.fuzz_seconds
                ).outcome(arguments.fuzz_seconds + 60),
            )


def soak(processes, arguments, scale, servers):
    """Runs all attacks mixed, a few at a time, in random order, for `soak_minutes`."""
    chance = random.Random(arguments.seed)
    ends_s = time.monotonic() + arguments.soak_minutes * 60
    deck = []

    def begun():
        nonlocal deck
        deck = deck or chance.sample(ATTACKS, len(ATTACKS))
        one = deck.pop()
        server = next(server for server in servers if server.over == one.over)
        attacker = Attacker(processes, server.target, one.words)
        return one, attacker, time.monotonic() + scale.attack_s_max

    def work():
        running, late_ms, harms, count = [], 0.0, [], 0
        while time.monotonic() < ends_s and all(server.is_alive() for server in servers):
            while len(running) < SOAK_AT_ONCE:
                running.append(begun())
                count += 1
            wait([attacker.ours for _, attacker, _ in running], timeout=1)
            for ended in [one for one in running if one[1].has_told() or one[2] < time.monotonic()]:
                running.remove(ended)
                one, attacker, _ = ended
                figures, told = attacker.outcome(0)
                late_ms = max(late_ms, figures.get(runaway.LATE, 0.0))
                # A server that is busy with other attackers need not let each of them in.
                harms += [f"{one.words}: {harm}" for harm in told if NOT_LED not in harm]
        for _, attacker, _ in running:
            attacker.end()
        return {"attacks": count, runaway.LATE: late_ms}, harms

    words = f"soak of {arguments.soak_minutes:g} minutes, all attacks mixed"
    return measure(scale, servers, words, work)


def calm(scale, servers, after):
    """A minute without attacks, after which the memory has to be free."""
    if not scale.is_full:
        return
    time.sleep(CALM_S)

    def work():
        kept = {
            server.over: memory_bytes(server.target.pid) - server.start_bytes for server in servers
        }
        harms = [
            f"{over} keeps memory" for over, kept_bytes in kept.items() if kept_bytes > KEPT_BYTES
        ]
        return {
            f"MiB more than at the start ({over})": kept_bytes / MIB
            for over, kept_bytes in kept.items()
        }, harms

    yield measure(scale, servers, f"{CALM_S} s after {after}", work)


def on_each(scale, servers, lead_on):
    """Attacks by server; servers run concurrently unless times are checked."""
    with ThreadPoolExecutor(1 if scale.is_full else len(servers)) as leaders:
        led_on = leaders.map(lambda server: list(lead_on(server)), servers)
        return [measured for of_server in led_on for measured in of_server]


def lead(processes, arguments, scale, folder):
    """All measurements."""
    measured = []
    servers = [
        Server(processes, arguments, scale, over, os.path.join(folder, over))
        for over in SERVERS
    ]
    try:
        measured += on_each(
            scale, servers, lambda server: lead_all(processes, arguments, scale, server)
        )
        measured += calm(scale, servers, "the attacks")
        if arguments.soak_minutes:
            measured.append(soak(processes, arguments, scale, servers))
            measured += calm(scale, servers, "the soak")
        measured += on_each(
            scale, servers, lambda server: fuzz_all(processes, arguments, scale, server)
        )
        measured += calm(scale, servers, "fuzzing")
    finally:
        for server in servers:
            server.end()
    return measured


def read_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("uptally", type=os.path.abspath)
    parser.add_argument("--full", action="store_true", help="full sizes, and bounds of time")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="only what has these words in its name"
    )
    parser.add_argument(
        "--seed", type=int, help="of mutations and orders; any by default, 1 where small"
    )
    parser.add_argument("--soak-minutes", type=float, help="30 in full, otherwise none")
    parser.add_argument(
        "--fuzz-seconds", type=float, help="of each listener and state; 600 in full, otherwise 2"
    )
    parser.add_argument(
        "--memory-mib",
        type=float,
        help="bound of memory; a quarter of the machine in full, otherwise 2048",
    )
    parser.add_argument(
        "--case",
        type=int,
        help="only prints the bytes of this case of the fuzzer that --only names",
    )
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.randrange(1 << 32) if arguments.full else 1
    if arguments.soak_minutes is None:
        arguments.soak_minutes = 30 if arguments.full else 0
    if arguments.fuzz_seconds is None:
        arguments.fuzz_seconds = 600 if arguments.full else 2
    return arguments


def main():
    arguments = read_arguments()
    if arguments.case is not None:
        fuzzer = next(fuzzer for fuzzer in FUZZERS if arguments.only in fuzzer.words)
        target = Target(None, None, None, 0, "", 0, seed=arguments.seed)
        return print(case(fuzzer, target, arguments.case))
    # Otherwise its servers would outlive a script that is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    processes = multiprocessing.get_context("forkserver")
    scale = scales(arguments)
    print(f"seed {arguments.seed}\n\n{HEAD}\n{RULE}", flush=True)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for over in SERVERS:
            tables = os.path.join(folder, over, "tables")
            loading = [arguments.uptally, "ingest", "--data", tables, ROOT / "data" / "sample"]
            subprocess.run(loading, check=True, capture_output=True)
        measured = lead(processes, arguments, scale, folder)
    harmed = [one for one in measured if one.harms]
    print(
        f"\nattacks: {len(measured) - len(harmed)} of {len(measured)} held in {time.monotonic() - began_s:.0f} s"
    )
    sys.exit(f"{len(harmed)} attacks did harm" if harmed or not measured else 0)


if __name__ == "__main__":
    main()
