"""Monitors the processes of a server via /proc: memory, processor time, log."""

import os
import re
import threading
import time
from contextlib import suppress

LOOK_EVERY_S = 0.1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# What no log of a server may hold, whatever clients send. That the server itself aborts is seen by
# its process.
FAILURES = re.compile("panicked")


def parents():
    """The parent of every process."""
    told = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat") as stat:
            # The name of the program may hold anything, also brackets.
            told[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
    return told


def family(pid):
    """The process and its descendants."""
    above, members = parents(), [pid]
    for member in members:
        members += [child for child, parent in above.items() if parent == member]
    return members


def memory_bytes(pid):
    """Resident memory of all processes; pages of files, which they share, count once."""
    private, shared = 0, 0
    for member in family(pid):
        with suppress(OSError), open(f"/proc/{member}/status") as status:
            told = dict(re.findall(r"^(Rss\w+):\s+(\d+) kB", status.read(), re.MULTILINE))
            private += int(told.get("RssAnon", 0)) + int(told.get("RssShmem", 0))
            shared = max(shared, int(told.get("RssFile", 0)))
    return (private + shared) * 1024


def processor_s(pid):
    """Processor time of all processes so far."""
    ticks = 0
    for member in family(pid):
        with suppress(OSError), open(f"/proc/{member}/stat") as stat:
            ticks += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    return ticks / TICKS_PER_S


class Watch:
    """Looks at a server's memory all the time, and at its process and its log when asked."""

    def __init__(self, process, log):
        self.process, self.log_read = process, 0
        self.log = log
        self.most_bytes = 0
        self.has_ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.has_ended.wait(LOOK_EVERY_S):
            self.most_bytes = max(self.most_bytes, memory_bytes(self.process.pid))

    def end(self):
        self.has_ended.set()
        self.thread.join()

    def taken_most_bytes(self):
        """The most memory since this was asked before."""
        most = max(self.most_bytes, memory_bytes(self.process.pid))
        self.most_bytes = 0
        return most

    def harms(self):
        """Harms that the process or its log shows since the last call."""
        harms = []
        with open(self.log, errors="replace") as log:
            log.seek(self.log_read)
            lines = log.readlines()
            self.log_read = log.tell()
        failed = [line.strip() for line in lines if FAILURES.search(line)]
        if failed:
            harms.append(f"{len(failed)} failures in the log, as {failed[0][:300]}")
        if self.process.poll() is not None:
            harms.append(f"the process has died with {self.process.returncode}")
        return harms

    def busy_cores(self, seconds):
        """The cores that it keeps busy on average, over so long."""
        before = processor_s(self.process.pid)
        time.sleep(seconds)
        return (processor_s(self.process.pid) - before) / seconds
