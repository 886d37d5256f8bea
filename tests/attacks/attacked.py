"""Servers under attack, each with a monitor and legitimate clients."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "clients"))

from legitimate import Legitimate  # noqa: E402
from registry import Target  # noqa: E402
from serving import started  # noqa: E402
from watch import Watch, memory_bytes  # noqa: E402


def address(url):
    host, _, port = url.split("//")[1].rpartition(":")
    return host, int(port)


class Server:
    """A server with its watch and its legitimate clients, started again where it has died."""

    LISTENERS = ("http", "flight", "postgres")
    # As shells and services limit a process unless they are told otherwise.
    FEW_FILES = 1024

    def __init__(self, processes, arguments, scale, over, folder):
        self.processes, self.arguments, self.scale, self.over = processes, arguments, scale, over
        self.folder = folder
        self.running = None
        self.start()

    def start(self):
        settings, key, read_key = list(self.scale.settings), None, None
        if self.over == "locked":
            keys = os.path.join(self.folder, "keys")
            key, read_key = self.added_key(keys, "run"), self.added_key(keys, "read")
            tls = ROOT / "tests" / "service" / "tls"
            settings += [
                "--keys",
                keys,
                "--tls-cert",
                str(tls / "certificate.pem"),
                "--tls-key",
                str(tls / "key.pem"),
            ]
        self.running = started(
            self.arguments.uptally,
            os.path.join(self.folder, "tables"),
            self.LISTENERS,
            *settings,
            log_level="info",
            files_max=self.FEW_FILES if self.over == "few-files" else None,
        )
        served = self.running.__enter__()
        self.target = Target(
            *map(address, served.urls),
            pid=served.process.pid,
            log=served.log,
            sql_time_s=self.scale.sql_time_s,
            key=key,
            read_key=read_key,
            is_full=self.scale.is_full,
            seed=self.arguments.seed,
        )
        self.watch = Watch(served.process, served.log)
        self.clients = Legitimate(self.processes, self.target)
        # What is kept from the first answers on is there from the start.
        for _ in range(2):
            self.clients.asked_since(time.monotonic())
        self.start_bytes = memory_bytes(self.target.pid)

    def added_key(self, keys, role):
        adding = [self.arguments.uptally, "keys", "add", "--role", role, keys]
        return subprocess.run(adding, check=True, capture_output=True, text=True).stdout.strip()

    def end(self):
        self.watch.end()
        self.clients.end()
        self.running.__exit__(None, None, None)

    def is_alive(self):
        return self.watch.process.poll() is None

    def revive(self):
        if not self.is_alive():
            self.end()
            self.start()
