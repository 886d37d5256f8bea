"""Lists the objects of a server with the commands of psql."""

import os
import shutil
import subprocess
import sys
import tempfile

from serving import serving

NO_ROWS = "(0 rows)"
POLLS = [
    "store_id|text||not null|",
    "store_no|integer||not null|",
    "polled_at|timestamp with time zone||not null|",
    "active|boolean||not null|",
    "polled_on|date||not null|",
]
UPTIME = "public|uptime|SETOF record|from timestamp with time zone DEFAULT NULL, "

# Each command with what some line of its answer begins with.
COMMANDS = [
    (r"\conninfo", ['You are connected to database "uptally"']),
    (r"\d", ["public|polls|table|postgres", "public|stores|view|postgres"]),
    (r"\d+", ["public|polls|table|postgres|"]),
    (r"\d polls", POLLS),
    (r"\d+ polls", ["store_id|text||not null||"]),
    (r"\d stores", ["last_polled_at|timestamp with time zone|"]),
    (r"\d pg_catalog.pg_class", ["relname|"]),
    (r"\dt", ["public|polls|table|postgres"]),
    (r"\dt internal.*", ["Did not find any relation"]),
    (r"\dv", ["public|stores|view|postgres"]),
    (r"\dn", ["public|postgres"]),
    (r"\l", ["uptally|postgres|UTF8|"]),
    (r"\df", [UPTIME, "public|timeline|"]),
    (r"\df uptime", [UPTIME]),
    (r"\df+ uptime", [UPTIME]),
    (r"\da", ["public|timeline|"]),
    (r"\du", ["postgres|"]),
    (r"\dT", [NO_ROWS]),
    (r"\dT+ interval", ["pg_catalog|interval|"]),
    (r"\do =", ["pg_catalog|="]),
    (r"\dp", ["public|polls|table|=r/postgres|"]),
    (r"\z polls", ["public|polls|table|"]),
    (r"\di", ["Did not find any relations."]),
    (r"\ds", ["Did not find any relations."]),
    (r"\dm", ["Did not find any relations."]),
    (r"\dx", [NO_ROWS]),
    (r"\dd", [NO_ROWS]),
    (r"\dD", [NO_ROWS]),
    (r"\des", [NO_ROWS]),
    (r"\dy", [NO_ROWS]),
]


def asked(psql, command):
    told = subprocess.run([*psql, "-c", command], capture_output=True, text=True)
    return told.stdout.splitlines() + told.stderr.splitlines()


def main(uptally):
    assert shutil.which("psql"), "psql is not installed; install Debian's package postgresql"
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        load = [uptally, "ingest", "--data", folder, "data/sample"]
        subprocess.run(load, check=True, capture_output=True)
        with serving(uptally, folder, ["postgres"]) as (url,):
            address = f"postgresql://ann@{url.removeprefix('postgres://')}/uptally"
            psql = ["psql", "--no-psqlrc", "--no-align", address]
            for command, expected in COMMANDS:
                lines = asked(psql, command)
                is_there = [any(line.startswith(begin) for line in lines) for begin in expected]
                if not all(is_there) or any("ERROR" in line for line in lines):
                    wrong.append("\n".join([command, *lines]))
    assert not wrong, "\n\n".join(wrong)
    print(f"clients: psql is answered {len(COMMANDS)} of its own commands")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
