"""Prints the five stores with the least uptime over the last week, by a report over HTTP.

    worst_stores.py [URL] [KEY]

Needs nothing but Python.
"""

import json
import sys
import urllib.request


class Server:
    """The reports of a server, for the holder of a key if it has keys."""

    def __init__(self, url, key=None):
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(self, path, body=None):
        """The answer to a GET or, with a body, to a POST of JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self.headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def report(self, **options):
        """The report with these options, once it is complete.

        The same question has the same report, so that asking again costs nothing.
        """
        report = json.loads(self.ask("/v1/reports", options))
        while report["state"] in ("queued", "running"):
            # The answer is held until the report ends, for half a minute at most.
            report = json.loads(self.ask(f"{report['links']['self']}?wait=30s"))
        if report["state"] != "complete":
            raise RuntimeError(report["detail"] or f"the report is {report['state']}")
        return report

    def rows(self, report):
        lines = self.ask(report["links"]["ndjson"]).decode().splitlines()
        return [json.loads(line) for line in lines]


def main(url="http://localhost:8000", key=None):
    server = Server(url, key)
    rows = server.rows(server.report(max_gap="2h"))
    rows.sort(key=lambda row: (row["uptime_last_week"], row["store_id"]))
    print("store_id,uptime_last_week,downtime_last_week")
    for row in rows[:5]:
        hours = (f"{row[name]:.2f}" for name in ("uptime_last_week", "downtime_last_week"))
        print(row["store_id"], *hours, sep=",")


if __name__ == "__main__":
    main(*sys.argv[1:])
