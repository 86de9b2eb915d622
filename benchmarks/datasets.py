"""What a dataset costs: making it beside its solves alone, reading it beside the disk.

    python benchmarks/datasets.py [--polycrystals 1000] [--pores 200] [--read 200]
                                  [--json out.json] [--page docs/datasets.md]

Making: the wall time of `fftmech.datasets.make`, its processes started and its files
written, over the time that the same bodies take to be generated, resampled and solved
with as many processes, each alone on its processor and warm. Reading: batches of 8
random samples of 32^3, in several layouts, beside np.fromfile of as many bytes, warm.
"""

import argparse
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from machine import fill, table, write_json

from fftmech.arrays.threads import processors
from fftmech.datasets.card import Card, card_text
from fftmech.datasets.draft import new_card
from fftmech.datasets.make import make
from fftmech.datasets.polycrystal import PolycrystalRecipe
from fftmech.datasets.pores import PoresRecipe
from fftmech.datasets.sample_task import solve_sample
from fftmech.io import Dataset

BATCH = 8
BATCHES = 25
SHARD = 64
"""Samples in a file of the sharded layout."""


def work(index: int, card: str) -> float:
    """Generate and solve one sample, write nothing; return the seconds."""
    started = time.perf_counter()
    document = json.loads(card)
    document.pop("sha256")
    solve_sample(Card.from_dict(document), index, threads=1)
    return time.perf_counter() - started


def alone(card: Card, jobs: int) -> float:
    """Wall time of all bodies, generated and solved by warm processes."""
    task = partial(work, card=card_text(card))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        # a sample for the test, so that every kernel is loaded
        test = next(i for i in card.indices() if card.split_of(i) == "test")
        list(pool.map(task, [test] * 2 * jobs))
        started = time.perf_counter()
        list(pool.map(task, card.indices()))
        return time.perf_counter() - started


def making(name: str, card: Card, folder: Path) -> dict:
    """Wall time of a dataset beside that of its solves alone."""
    jobs = processors()
    outcome = make(folder, card, jobs=jobs)
    ideal = alone(card, jobs)
    return {
        "name": name,
        "count": card.count,
        "levels": card.levels,
        "test": sum(card.split_of(i) == "test" for i in card.indices()),
        "jobs": jobs,
        "wall": outcome.seconds,
        "alone": ideal,
        "ratio": outcome.seconds / ideal,
        "failed": outcome.failed,
        "bytes": outcome.bytes,
    }


def speed(read: Callable[[np.ndarray], int], count: int) -> float:
    """Median bytes a second over random batches; the first pass warms."""
    random = np.random.default_rng(0)
    rates = []
    for turn in range(2 * BATCHES):
        batch = random.integers(count, size=BATCH)
        started = time.perf_counter()
        size = read(batch)
        if turn >= BATCHES:
            rates.append(size / (time.perf_counter() - started))
    return statistics.median(rates)


def reading(folder: Path, count: int, scratch: Path) -> list[dict]:
    """Bytes a second of each layout, of the same fields of the same samples."""
    card = new_card(PolycrystalRecipe(), count, (64, 32), parts=(1, 0, 0), seed=0)
    make(folder, card)
    data = Dataset(folder, levels=[32])
    # displacements are read at the nodes of both sides: count what is asked for
    fields = ("strain", "stress", "displacement")

    def samples(batch: np.ndarray) -> int:
        read = [data[i].low for i in batch]
        return sum(getattr(level, f).nbytes for level in read for f in fields)

    first = [getattr(data[0].low, f)[0] for f in fields]
    size = sum(f.nbytes for f in first)
    raw = scratch / "raw"
    with raw.open("wb") as file:
        for _ in range(count):
            for f in first:
                file.write(f.tobytes())

    def plain(batch: np.ndarray) -> int:
        for i in batch:
            np.fromfile(raw, np.float32, size // 4, offset=i * size)
        return BATCH * size

    rows = [
        {"layout": "np.fromfile of the same bytes", "rate": speed(plain, count)},
        {"layout": "`Dataset`: a file a sample", "rate": speed(samples, count)},
    ]
    for packed, text in (({}, ""), ({"compression": "gzip"}, ", gzip")):
        for shard in (1, SHARD):
            place = scratch / f"{shard}{text}"
            place.mkdir()
            for k in range(-(-count // shard)):
                with h5py.File(place / f"{k}.h5", "w") as file:
                    for name, f in zip(fields, first, strict=True):
                        file.create_dataset(
                            name,
                            data=np.repeat(f[None], shard, axis=0),
                            chunks=(1, *f.shape),
                            **packed,
                        )

            def layout(batch: np.ndarray, place: Path = place, shard: int = shard):
                for i in batch:
                    with h5py.File(place / f"{i // shard}.h5") as file:
                        for name in fields:
                            file[name][i % shard]
                return BATCH * size

            name = f"plain HDF5, {shard} sample(s) a file{text}"
            rows.append({"layout": name, "rate": speed(layout, count)})
    return rows


def costs(rows: list[dict]) -> str:
    """Time, bytes and files of 10^5 samples, from those that were made."""
    lines = []
    for row in rows:
        each = 1e5 / row["count"]
        res, low = row["levels"]
        lines.append(
            [
                f"{row['name']}, {res}^3 -> {low}^3",
                f"{row['count'] / row['wall']:.3g}/s",
                f"{each * row['wall'] / 3600:.3g} h",
                f"{each * row['bytes'] / 1e9:.3g} GB",
                "100 000",
            ]
        )
    head = ["kind", f"rate on {rows[0]['jobs']} cores", "time", "size", "files"]
    return table(head, lines)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polycrystals", type=int, default=1000)
    parser.add_argument("--pores", type=int, default=200)
    parser.add_argument("--read", type=int, default=200)
    parser.add_argument("--json")
    parser.add_argument("--page")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp())
    try:
        made, read = [], []
        if options.polycrystals:
            card = new_card(PolycrystalRecipe(), options.polycrystals, (64, 32))
            made.append(making("polycrystal", card, scratch / "polycrystal"))
            print(_line(made[-1]), flush=True)
        if options.pores:
            card = new_card(PoresRecipe(), options.pores, (128, 64))
            made.append(making("pores", card, scratch / "pores"))
            print(_line(made[-1]), flush=True)
        if options.read:
            read = reading(scratch / "read", options.read, scratch)
            for row in read:
                print(f"{row['rate'] / 1e6:6.0f} MB/s  {row['layout']}")
    finally:
        shutil.rmtree(scratch)
    if options.json:
        write_json(options.json, making=made, reading=read)
    if options.page and made:
        fill(options.page, "costs", costs(made))
    if options.page and read:
        lines = [[row["layout"], f"{row['rate'] / 1e6:.0f}"] for row in read]
        fill(options.page, "reading", table(["layout", "MB/s"], lines))


def _line(row: dict) -> str:
    return (
        f"{row['count']} {row['name']} {row['levels']}, {row['test']} for the test: "
        f"{row['wall']:.1f} s on {row['jobs']} processes, {row['alone']:.1f} s of "
        f"solves and generation alone: ratio {row['ratio']:.2f}; {row['failed']} "
        f"failed, {row['bytes'] / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
