"""A server over a folder of tables, for as long as it is asked."""

import os
import re
import subprocess
from contextlib import contextmanager

LISTENERS = {"flight": r"grpc://\S+", "postgres": r"postgres://\S+", "http": r"http://\S+"}


@contextmanager
def serving(uptally, folder, listeners, *settings):
    """Where each of the listeners listens, on a port that is free; `http` always does."""
    flags = [f"--{name}" for name in ("listen", *listeners) if name != "http"]
    anywhere = [word for flag in flags for word in (flag, "127.0.0.1:0")]
    server = subprocess.Popen(
        [uptally, "serve", "--data", folder, *anywhere, *settings],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "UPTALLY_LOG": "warn"},
    )
    try:
        said = ""
        for line in server.stderr:
            said += line
            if line.startswith("listening on"):
                break
        yield [re.search(LISTENERS[name], said)[0] for name in listeners]
    finally:
        server.terminate()
        ended_with = server.wait(timeout=30)
    assert ended_with == 0, ended_with
