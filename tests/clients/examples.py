"""Runs the examples of clients over HTTP: the one in Python prints what the one in shell does.

    examples.py UPTALLY
"""

import os
import subprocess
import sys
import tempfile

from serving import serving

ROOT = os.path.join(os.path.dirname(__file__), "../..")


def printed(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(uptally):
    example = lambda name: os.path.join(ROOT, "examples", name)
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "tables")
        printed(uptally, "ingest", "--data", data, os.path.join(ROOT, "data/sample"))
        with serving(uptally, data, ["http"]) as [url]:
            expected = printed("bash", example("worst_stores.sh"), url)
            found = printed(sys.executable, "-B", example("worst_stores.py"), url)
    assert found == expected, (found, expected)
    assert len(found.splitlines()) == 6, found


if __name__ == "__main__":
    main(sys.argv[1])
