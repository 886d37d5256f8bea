"""Temporary PostgreSQL server: in a temporary folder, on a free port."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import psycopg

# The tables that questions are about, as PostgreSQL declares what uptally holds.
TABLES = {
    "polls": """
        store_id text NOT NULL, store_no integer NOT NULL, polled_at timestamptz NOT NULL,
        active boolean NOT NULL, polled_on date NOT NULL
    """,
    "business_hours": """
        store_id text NOT NULL, store_no integer NOT NULL, day_of_week smallint NOT NULL,
        start_local_s integer NOT NULL, end_local_s integer NOT NULL
    """,
    "time_zones": "store_id text NOT NULL, store_no integer NOT NULL, time_zone text NOT NULL",
    "stores": """
        store_id text NOT NULL, store_no integer NOT NULL, time_zone text NOT NULL,
        uses_default_hours boolean NOT NULL, uses_default_time_zone boolean NOT NULL,
        first_polled_at timestamptz, last_polled_at timestamptz, polls bigint NOT NULL,
        zone_rules text NOT NULL
    """,
}
OLDEST = 15


def programs():
    """The folder of the newest PostgreSQL that is installed."""
    folders = sorted(
        glob.glob("/usr/lib/postgresql/*/bin"), key=lambda folder: float(folder.split("/")[4])
    )
    assert folders, "PostgreSQL is not installed; install Debian's package postgresql"
    version = float(folders[-1].split("/")[4])
    assert version >= OLDEST, f"PostgreSQL {version} is too old; {OLDEST} is the oldest"
    return folders[-1]


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


@contextmanager
def running():
    """Connection parameters of a server with an empty database, in UTC."""
    # Otherwise it would outlive a script that is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    place = tempfile.mkdtemp(prefix="postgres-")
    # It refuses to run as root; Debian's package has a user for it.
    owner = {}
    if os.getuid() == 0:
        owner = {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": []}
        shutil.chown(place, "postgres")
    cluster, port = os.path.join(place, "cluster"), free_port()
    made = [f"{programs()}/initdb", "-D", cluster, "-U", "postgres", "-A", "trust"]
    made += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "timezone": "UTC",
        "fsync": "off",
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    server = None
    try:
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=place, **owner)
        with open(os.path.join(place, "log"), "w") as log:
            server = subprocess.Popen(
                [f"{programs()}/postgres", "-D", cluster, *words], stderr=log, cwd=place, **owner
            )
        parameters = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
        wait_for(parameters, server, os.path.join(place, "log"))
        yield parameters
    finally:
        if server:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=60)
        shutil.rmtree(place)


def wait_for(parameters, server, log):
    """Waits until it accepts clients; raises its log if it exits first."""
    while True:
        try:
            psycopg.connect(parameters).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                raise AssertionError(open(log).read()) from None
            time.sleep(0.05)


def load(parameters, uptally, folder):
    """The tables of a folder into the database, by CSV."""
    with psycopg.connect(parameters, autocommit=True) as database:
        for table, columns in TABLES.items():
            asked = ["sql", "--data", folder, "--format", "csv", f"SELECT * FROM {table}"]
            rows = subprocess.run([uptally, *asked], check=True, capture_output=True).stdout
            database.execute(f"CREATE TABLE {table} ({columns})")
            read = f"COPY {table} FROM STDIN WITH (FORMAT csv, HEADER)"
            with database.cursor().copy(read) as copy:
                copy.write(rows)
        database.execute("ANALYZE")
