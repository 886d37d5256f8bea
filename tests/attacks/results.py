"""Measurements under attack, checked against bounds and printed as a Markdown table."""

from dataclasses import dataclass, field

from legitimate import LIVEZ, SELECTS, percentile
from registry import MIB


@dataclass(frozen=True)
class Scale:
    """Bounds on time and memory; infinite ones are not checked."""

    is_full: bool
    settings: tuple
    sql_time_s: float
    attack_s_max: float
    memory_bytes_max: float
    livez_p99_s: float = float("inf")
    livez_max_s: float = float("inf")
    select_s: float = float("inf")
    figures: dict = field(default_factory=dict)


@dataclass
class Measured:
    """Observations during an attack on a server."""

    words: str
    took_s: float
    most_bytes: int
    asked: list
    figures: dict
    harms: list

    def row(self):
        livez = [one.took_s for one in self.asked if one.name == LIVEZ] or [float("nan")]
        selects = [
            max((one.took_s for one in self.asked if one.name == name), default=float("nan"))
            for name in SELECTS
        ]
        cells = [
            self.words,
            f"{self.took_s:.1f}",
            f"{self.most_bytes / MIB:.0f}",
            f"{percentile(livez, 0.99) * 1000:.0f}",
            f"{max(livez) * 1000:.0f}",
        ]
        cells += [f"{took_s:.2f}" for took_s in selects]
        cells.append(
            ", ".join(
                f"{name} {value:.0f}" if value >= 10 else f"{name} {value:.2g}"
                for name, value in self.figures.items()
            )
        )
        cells.append("held" if not self.harms else "; ".join(self.harms))
        return (
            "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        )


HEAD = (
    "| attack | took, s | RSS at most, MiB | /livez p99, ms | at most, ms "
    + "".join(f"| SELECT 1 by {name} at most, s " for name in SELECTS)
    + "| figures | |"
)
RULE = "|---" * (7 + len(SELECTS)) + "|"


def judge(scale, measured, memory_bytes):
    """Adds the harms that legitimate clients and the watch saw."""
    wrong = [one for one in measured.asked if one.wrong]
    for name in sorted({one.name for one in wrong}):
        of_name = [one for one in wrong if one.name == name]
        measured.harms.append(
            f"{len(of_name)} questions of a legitimate client ({name}) failed, as {of_name[0].wrong[:200]}"
        )
    livez = [one.took_s for one in measured.asked if one.name == LIVEZ]
    if livez and percentile(livez, 0.99) > scale.livez_p99_s:
        measured.harms.append("/livez p99")
    if livez and max(livez) > scale.livez_max_s:
        measured.harms.append("/livez at most")
    measured.harms += [
        f"SELECT 1 by {name}"
        for name in SELECTS
        if any(one.took_s > scale.select_s for one in measured.asked if one.name == name)
    ]
    bound = scale.memory_bytes_max if scale.is_full else min(scale.memory_bytes_max, memory_bytes)
    if measured.most_bytes > bound:
        measured.harms.append(f"memory of {measured.most_bytes / MIB:.0f} MiB")
    for name, bound in scale.figures.items():
        if measured.figures.get(name, 0) > bound:
            measured.harms.append(name)
    return measured
