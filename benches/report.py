"""Write what a run of the benchmarks measured into the repository: `make bench`."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import defaultdict
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

from yoloxfast import _core

PROJECT = Path(__file__).parent.parent
RESULTS = PROJECT / "benches/results"
OURS = ("yoloxfast", "float32", "one by one")
"""What the others of a row are compared with."""
PACKAGES = ("numpy", "opencv-python", "opencv-python-headless", "powerboxes", "torch", "torchvision")
GROWTH = (
    ("Post-processing, 8400 x 85", "crowded photo *, 0.001/0.65", "typical photo *, 0.001/0.65"),
    ("NMS, class-aware", "50,000 sparse", "5,000 sparse"),
    ("NMS, class-agnostic", "50,000 sparse", "5,000 sparse"),
)
"""Tables, and rows of which our cost is compared."""
IN_README = ("Post-processing, 8400 x 85", "typical")
MARKERS = ("<!-- head of benches/results/report.md -->\n", "<!-- end -->\n")

Row = dict[str, dict[int, float]]
"""Seconds that each program took in each turn."""


def main(file: str) -> None:
    run = json.loads(Path(file).read_text())
    tables: dict[str, dict[str, Row]] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for result in run["benchmarks"]:
        facts = result["extra_info"]
        tables[facts["table"]][result["group"]][facts["program"]][facts["turn"]] = result["stats"]["median"]
    RESULTS.mkdir(exist_ok=True)
    sections = [f"## {title}\n\n{as_markdown(rows)}" for title, rows in tables.items()]
    plot = "![NMS: time against number of boxes](nms.svg)"
    text = "\n\n".join(("# Benchmarks", machine(run), *sections, growth(tables), plot))
    (RESULTS / "report.md").write_text(text + "\n")
    plot_nms(run["benchmarks"], RESULTS / "nms.svg")
    title, photo = IN_README
    write_into_readme(as_markdown({name: row for name, row in tables[title].items() if name.startswith(photo)}))


def as_markdown(rows: dict[str, Row]) -> str:
    """Return a table: one line per input, one column per program, with how many times ours it takes."""
    programs = list(dict.fromkeys(program for row in rows.values() for program in row))
    lines = [[name, *(cell(row, program) for program in programs)] for name, row in rows.items()]
    table: str = tabulate(lines, ["", *programs], tablefmt="pipe", colalign=("left", *["right"] * len(programs)))
    return table


def cell(row: Row, program: str) -> str:
    if program not in row:
        return ""
    turns, ours = row[program], next(row[name] for name in OURS if name in row)
    seconds, ratio = median(turns.values()), median(turns[turn] / ours[turn] for turn in turns)
    return duration(seconds) if program in OURS else f"{duration(seconds)} ({ratio:.3g} x)"


def growth(tables: dict[str, dict[str, Row]]) -> str:
    """Return a section with how many times the cost of one input another has: medians over the turns."""
    lines = []
    for title, *patterns in GROWTH:
        (more, larger), (less, smaller) = (
            next((name, row["yoloxfast"]) for name, row in tables[title].items() if fnmatch(name, pattern))
            for pattern in patterns
        )
        ratio = median(larger[turn] / smaller[turn] for turn in larger)
        lines.append((title, more, less, f"{ratio:.3g} x"))
    table = tabulate(lines, ("", "costs", "of", ""), tablefmt="pipe")
    return f"## yoloxfast against itself\n\n{table}"


def duration(seconds: float) -> str:
    for unit, factor in (("s", 1), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def machine(run: dict[str, Any]) -> str:
    facts, commit = run["machine_info"], run["commit_info"]
    versions = ", ".join(f"{name} {found}" for name in PACKAGES if (found := version_of(name)))
    state = " with changes" if commit["dirty"] else ""
    return (
        f"Medians, one thread unless stated, results checked before they are timed. All programs of a row are timed in"
        f" turns, {turns_of(run)} times each; in brackets the median of how many times the first column they took."
        f" {facts['cpu']['brand_raw']}, {os.cpu_count()} cores, level {_core.LEVEL}; Python"
        f" {facts['python_version']}, {versions}; commit {commit['id'][:7]}{state}, {run['datetime'][:10]}."
    )


def turns_of(run: dict[str, Any]) -> int:
    return len({result["extra_info"]["turn"] for result in run["benchmarks"]})


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def plot_nms(results: list[dict[str, Any]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    panels: dict[tuple[str, str], dict[str, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for result in results:
        facts = result["extra_info"]
        if "count" in facts:
            turns = panels[facts["table"], facts["kind"]][facts["program"]][facts["count"]]
            turns.append(result["stats"]["median"])
    figure, axes = plt.subplots(2, 2, figsize=(10, 8), sharex=True, sharey=True, layout="constrained")
    for axis, ((table, kind), programs) in zip(axes.flat, panels.items(), strict=True):
        for program, points in programs.items():
            axis.loglog(list(points), [median(turns) for turns in points.values()], marker="o", label=program)
        axis.set(title=f"{table}, {kind}", xlabel="boxes", ylabel="seconds")
        axis.grid(visible=True, alpha=0.3)
        axis.legend()
    figure.savefig(path, metadata={"Date": None})


def write_into_readme(table: str) -> None:
    readme = PROJECT / "README.md"
    start, end = MARKERS
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    text, count = pattern.subn(lambda _: f"{start}\n{table}\n\n{end}", readme.read_text())
    if count != 1:
        raise ValueError(f"expected the markers {start!r} and {end!r} once in {readme}, found {count}")
    readme.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
