"""Temporary server over a folder of tables."""

import os
import re
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass

LISTENERS = {"flight": r"grpc://\S+", "postgres": r"postgres://\S+", "http": r"https?://\S+"}
# A server that is asked to stop finishes what it began, within a time of its own.
STOP_S = 30
LOOK_EVERY_S = 0.02


@dataclass
class Served:
    """A server that listens: where, by which process, and the file of its log."""

    urls: list
    process: subprocess.Popen
    log: str


@contextmanager
def serving(uptally, folder, listeners, *settings):
    """Addresses of the listeners on free ports; `http` always has one."""
    with started(uptally, folder, listeners, *settings) as served:
        yield served.urls
    assert served.process.returncode == 0, served.process.returncode


@contextmanager
def started(uptally, folder, listeners, *settings, log_level="warn", files_max=None):
    """A server, which is stopped at the end, or killed where it does not stop. Where `files_max` is
    given, it may open so many files."""
    flags = [f"--{name}" for name in ("listen", *listeners) if name != "http"]
    anywhere = [word for flag in flags for word in (flag, "127.0.0.1:0")]
    command = [uptally, "serve", "--data", folder, *anywhere, *settings]
    if files_max is not None:
        command = ["bash", "-c", f'ulimit -n {files_max} && exec "$0" "$@"', *command]
    with tempfile.NamedTemporaryFile(prefix="uptally-", suffix=".log") as log:
        process = subprocess.Popen(
            command,
            stderr=log,
            env={**os.environ, "UPTALLY_LOG": log_level},
        )
        try:
            said = wait_for_listening(process, log.name)
            yield Served([re.search(LISTENERS[name], said)[0] for name in listeners], process, log.name)
        finally:
            stop(process)


def wait_for_listening(process, log):
    """Reads its output until it listens; raises if it exits first."""
    while True:
        has_ended = process.poll() is not None
        with open(log, errors="replace") as lines:
            said = lines.read()
        if re.search(r"^listening on .*\n", said, re.MULTILINE):
            return said
        if has_ended:
            raise RuntimeError(f"the server has not started: {said}")
        time.sleep(LOOK_EVERY_S)


def stop(process):
    process.terminate()
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
