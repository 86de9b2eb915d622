"""Append a few ratios of this commit to history.csv, and draw how they went.

    pip install . -r benchmarks/requirements.txt
    python benchmarks/history.py [--cpu] [--plot docs/img/history.png] [--only-plot]

A ratio is of times in one run: solves to the transform pair of their grid (solve.py),
`homogenize` to one solve. So commits compare where the machine is the same, and roughly
where it is not; the file says on which each was measured. Run it on an idle machine, or
on a shared one with --cpu: processor time of one thread. With --source FOLDER the
package is that of another checkout, of an earlier commit for instance:

    git worktree add ../before COMMIT
    python benchmarks/history.py --source ../before
"""

import argparse
import csv
import itertools
import os
import statistics
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from machine import machine, table
from solve import Run, homogenize, polycrystal, pore

HISTORY = Path(__file__).with_name("history.csv")

COLUMNS: tuple[str, ...] = (
    "date",
    "commit",
    "processor",
    "cores",
    "python",
    "clock",
    "what",
    "value",
    "unit",
)

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "DUCC0_NUM_THREADS")


def measure(given: argparse.Namespace) -> list[dict[str, str]]:
    """Rows of the commit that is checked out in the folder `given.source`."""
    if given.cpu:
        os.environ |= dict.fromkeys(ONE_THREAD, "1") | {"BENCHMARK_CLOCK": "cpu"}
    # processes that measure import the package from there
    others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = filter(None, [str(given.source.resolve()), *others])
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    options = argparse.Namespace(size=given.size, repeats=given.repeats)
    options.threads = 1 if given.cpu else None
    with tempfile.TemporaryDirectory() as folder:
        run = Run(options, Path(folder))
        rows = [row for part in (polycrystal, pore, homogenize) for row in part(run)]
    here = {name: text for name, text in machine().items() if name in COLUMNS}
    git = ["git", "-C", str(given.source)]
    here |= {"date": _output(*git, "log", "-1", "--format=%cI")}
    here |= {"commit": _output(*git, "describe", "--always", "--dirty", "--exclude=*")}
    here |= {"clock": "CPU, one thread" if given.cpu else "wall, all threads"}
    return [
        here | {"what": r["what"], "value": f"{r['value']:.4g}", "unit": r["unit"]}
        for r in rows
    ]


def append(rows: list[dict[str, str]], path: Path) -> None:
    """Add rows at the end of the file, which begins with the names of its columns."""
    new = not path.exists()
    if not new and path.read_text().partition("\n")[0].split(",") != [*COLUMNS]:
        raise SystemExit(f"{path} has other columns: move it away")
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, str]]:
    """All rows, those of one figure together, in the order in which they were added."""
    with path.open(newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: row["what"])


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """Write the picture: a panel for each figure, with a dot for each measurement.

    A line for each processor and clock goes through the means of commits.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    machines = list(dict.fromkeys((r["processor"], r["clock"]) for r in rows))
    commits = list(dict.fromkeys(r["commit"] for r in sorted(rows, key=_date)))
    figures = [(w, list(g)) for w, g in itertools.groupby(rows, lambda r: r["what"])]
    figure, panels = plt.subplots(
        len(figures),
        figsize=(7, 2.2 * len(figures)),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, (what, measured) in zip(panels[:, 0], figures, strict=True):
        for place in machines:
            on_it = [r for r in measured if (r["processor"], r["clock"]) == place]
            values: dict[int, list[float]] = {}
            for row in on_it:
                number = commits.index(row["commit"])
                values.setdefault(number, []).append(float(row["value"]))
            means = [(n, statistics.mean(v)) for n, v in sorted(values.items())]
            (line,) = axes.plot(*zip(*means, strict=True), label=": ".join(place))
            dots = [(n, value) for n, several in values.items() for value in several]
            axes.plot(*zip(*dots, strict=True), "o", color=line.get_color())
        axes.set_ylim(0, 1.1 * max(float(r["value"]) for r in measured))
        axes.set_title(what, loc="left", fontsize="medium")
        axes.set_ylabel(measured[0]["unit"])
        axes.spines[["top", "right"]].set_visible(False)
    panels[0, 0].legend(frameon=False, fontsize="small")
    panels[-1, 0].set_xticks(range(len(commits)), commits, rotation=45, ha="right")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _date(row: dict[str, str]) -> datetime:
    return datetime.fromisoformat(row["date"])


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> None:
    """Measure, append, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--history", type=Path, default=HISTORY)
    parser.add_argument("--plot", type=Path, help="picture of the whole history")
    parser.add_argument("--source", type=Path, default=HISTORY.parents[1])
    parser.add_argument("--cpu", action="store_true", help="time of the processor")
    parser.add_argument("--only-plot", action="store_true", help="measure nothing")
    options = parser.parse_args()
    if not options.only_plot:
        rows = measure(options)
        append(rows, options.history)
        print(table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows]))
    if options.plot:
        draw(read(options.history), options.plot)


if __name__ == "__main__":
    main()
