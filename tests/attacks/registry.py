"""Registry of attacks: description, function, and the server to attack."""

import random
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# Attackers and legitimate clients are told apart by their addresses.
ATTACKER, LEGITIMATE = "127.0.0.1", "127.0.0.2"
# Servers: without keys; with keys and TLS; and without keys where few files may be open.
SERVERS = ("open", "locked", "few-files")
ATTACKS = []
# What a small server may have of attacks that ask for no work worth mentioning.
USUAL_BYTES = 2 * GIB


@dataclass(frozen=True)
class Attack:
    """A class of attacks. `over` is one of `SERVERS`. `memory_bytes` bounds the memory of a small
    server, besides the size of the requests."""

    words: str
    work: object
    over: str
    memory_bytes: float


def attack(words, over="open", memory_bytes=USUAL_BYTES):
    """Registers a function of a `Target`; it raises `Harm` where an answer itself is the harm."""

    def registered(work):
        ATTACKS.append(Attack(words, work, over, memory_bytes))
        return work

    return registered


class Harm(Exception):
    """An attack that got what it wanted."""


def expect(is_so, words):
    if not is_so:
        raise Harm(words)


@dataclass
class Target:
    """A server under attack, as an attacker and a watcher of its process see it."""

    http: tuple
    flight: tuple
    postgres: tuple
    pid: int
    log: str
    sql_time_s: float
    key: str | None = None
    read_key: str | None = None
    is_full: bool = False
    seed: int = 1
    source: str = ATTACKER
    # Figures of the attack by name, of which the largest counts.
    figures: dict = field(default_factory=dict)

    def size(self, small, full):
        return full if self.is_full else small

    def hold(self, small_s, full_s):
        """Keeps up for a while what the attack has built."""
        time.sleep(self.size(small_s, full_s))

    def record(self, name, value):
        self.figures[name] = max(value, self.figures.get(name, value))

    def random(self, words):
        return random.Random(f"{self.seed} {words}")

    def tls(self, *protocols):
        """TLS context of connections; `None` without TLS."""
        if self.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        # Its certificate is that of the tests.
        context.verify_mode = ssl.CERT_NONE
        if protocols:
            context.set_alpn_protocols(protocols)
        return context


def at_once(count, work):
    """Calls `work(number)` in as many threads; the first harm is raised, lost connections are not."""
    harms = []

    def guarded(number):
        try:
            work(number)
        except OSError:
            pass
        except Exception as error:  # noqa: BLE001 - told by the caller's thread
            harms.append(error)

    threads = [
        threading.Thread(target=guarded, args=[number], daemon=True) for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if harms:
        raise harms[0]


def drop(sockets):
    for one in sockets:
        with suppress(OSError):
            one.close()
