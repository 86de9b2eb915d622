"""What `ecosr serve` answers in a second, beside its model without a server.

    pip install ".[surrogate,serve]"
    python benchmarks/serving.py RUN [--clients 1 4 16] [--seconds 20]
                                 [--requests 2000] [--size 32] [--threads 1]
                                 [--json out.json]

The server is a process of its own, on the loopback alone. Clients are threads of this
process; each keeps one connection, and sends the next body when it has the answer to
the last. Bodies are distinct polycrystals of 24 grains on --size^3 voxels, made before.
Loads of --seconds are answered with VTKHDF files, the last one once more with JSON;
then --requests are sent by the most clients, while the resident memory of the server's
process is read: its medians over the second tenth of them and over the last tenth are
compared. Figures of a load begin three seconds after it. Whatever is not answered with
200 and what was asked for is an error.

The model's own speed is that of `ecosurrogate.evaluation.predict.predict_many` on the
same bodies, in batches of the server's size: encoding, network, displacement and
certificates, but neither reading nor writing. The whole chain reads every body and
writes every result as well, one after the other. Both are measured by turns in a
process of its own while the server is idle, before the loads and after them; the
medians of all turns count. That process and the server have --threads each for the
network, and both keep freed memory; other processors are left to reading, to writing
and to the clients. A server refuses more than 50 requests a second of one address: a
model that answers more needs larger bodies.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import table, write_json
from traffic import Traffic

BODIES = 32
KEEP = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**29),
}
"""Has glibc keep the memory of freed arrays for those of the next layer; else the
system gets it back, and clears it page by page."""

TURNS, TURN = 4, 2.0
"""Of the model alone, before the loads and after, and the seconds of one."""

HEAD = (
    *("clients", "answer", "requests", "errors", "requests/s", "p50 ms", "p99 ms"),
    "of own speed",
)


def own(run: str, bodies: list[str], folder: str, turns: int) -> dict:
    """Speeds without a server, bodies a second, and what clients have to ask for."""
    import torch

    from ecosurrogate.evaluation.learned_load import choose_load
    from ecosurrogate.evaluation.predict import predict_many
    from ecosurrogate.server.predictor import Predictor
    from fftmech import Load, io
    from fftmech.errors import InputError

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    predictor = Predictor({"run": run})
    model, card = predictor.models["run"]
    query = ""
    try:
        load = choose_load(card, None)
    except InputError:
        load, query = Load({"xx": 1e-3}), "?strain=xx=1e-3"
    made = [io.read(path) for path in bodies]
    size = predictor.most(made[0])
    batches = [range(i, i + size) for i in range(0, len(made) - size + 1, size)]

    def predicted(batch: range) -> None:
        predict_many(model, card, [made[i] for i in batch], [load] * size)

    def chain(batch: range) -> None:
        read = [io.read(bodies[i]) for i in batch]
        for result in predict_many(model, card, read, [load] * size):
            io.write_result(Path(folder) / "own.vtkhdf", result)

    speeds: dict[str, list[float]] = {"own": [], "chain": []}
    for turn in range(turns + 1):
        for name, work in (("own", predicted), ("chain", chain)):
            started, done = time.perf_counter(), 0
            while (took := time.perf_counter() - started) < TURN:
                work(batches[done % len(batches)])
                done += 1
            if turn:
                speeds[name].append(done * size / took)
    return {"query": query, "batch": size, **speeds}


@contextmanager
def server(run: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Number of the process of a server and its port."""
    command = [sys.executable, "-m", "fftmech_cli.ecosr_main", "serve", run]
    with subprocess.Popen(
        [*command, "--port", "0"], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr
        line = process.stderr.readline()
        port = line.rpartition(":")[2].strip()
        if not (line.startswith("serving ") and port.isdecimal()):
            raise SystemExit(line.strip() or "ecosr serve did not start")
        threading.Thread(
            target=shutil.copyfileobj, args=(process.stderr, sys.stderr)
        ).start()
        try:
            yield process.pid, int(port)
        finally:
            process.terminate()
            process.wait()


def memory(traffic: Traffic, process: int, clients: int, most: int) -> dict:
    """Resident memory of a process in the second and in the last tenth of requests."""
    import psutil

    watched = psutil.Process(process)
    samples: list[tuple[int, float]] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            samples.append((traffic.done, watched.memory_info().rss / 2**20))

    watcher = threading.Thread(target=watch)
    watcher.start()
    figures = traffic.run_many(clients, most)
    ended.set()
    watcher.join()
    tenth = most / 10
    early = [rss for done, rss in samples if tenth <= done < 2 * tenth]
    late = [rss for done, rss in samples if done >= 9 * tenth]
    first, last = statistics.median(early), statistics.median(late)
    return {
        **figures,
        "rss_MiB": [first, last],
        "growth_percent": 100 * (last / first - 1),
    }


def measure(options: argparse.Namespace, folder: Path) -> dict:
    """All figures."""
    from bodies import body

    from fftmech import io

    paths = [str(folder / f"{seed}.h5") for seed in range(BODIES)]
    for seed, path in enumerate(paths):
        io.write(path, body("polycrystal", options.size, seed))
    bodies = [Path(path).read_bytes() for path in paths]
    environment = {**os.environ, **KEEP, "OMP_NUM_THREADS": str(options.threads)}

    def alone() -> dict:
        given = json.dumps([options.run, paths, str(folder), TURNS])
        done = subprocess.run(
            [sys.executable, __file__, "own", given],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{options.run} cannot be measured alone")
        return json.loads(done.stdout.splitlines()[-1])

    most = max(options.clients)
    with server(options.run, environment) as (process, port):
        before = alone()
        path = "/predict" + before["query"]
        Traffic(port, path, bodies, "file").run_many(most, 2 * most)
        asked = [(n, "file") for n in options.clients] + [(most, "JSON")]
        loads = [
            Traffic(port, path, bodies, answer).run_for(clients, options.seconds)
            for clients, answer in asked
        ]
        after = alone()
        long = Traffic(port, path, bodies, "file")
        kept = memory(long, process, most, options.requests)
    speeds = {
        name: statistics.median(before[name] + after[name]) for name in ("own", "chain")
    }
    for load in [*loads, kept]:
        load["of_own_speed"] = load["throughput"] / speeds["own"]
        load["of_chain"] = load["throughput"] / speeds["chain"]
    return {
        "size": options.size,
        "threads": options.threads,
        "batch": before["batch"],
        "speeds": speeds,
        "turns": {name: [before[name], after[name]] for name in speeds},
        "loads": loads,
        "memory": kept,
    }


def report(found: dict) -> str:
    """The table and what it is to be compared with."""
    rows = [
        (
            *(load[name] for name in ("clients", "answer", "requests", "errors")),
            f"{load['throughput']:.2f}",
            *(
                "-" if load[name] is None else f"{load[name]:.0f}"
                for name in ("p50_ms", "p99_ms")
            ),
            f"{100 * load['of_own_speed']:.0f} %",
        )
        for load in [*found["loads"], found["memory"]]
    ]
    speeds, kept = found["speeds"], found["memory"]
    first, last = kept["rss_MiB"]
    spread = [
        f"{min(turns):.2f} to {max(turns):.2f}" for turns in found["turns"]["own"]
    ]
    lines = [
        table(HEAD, rows),
        "",
        f"own speed: {speeds['own']:.2f} bodies of {found['size']}^3 a second in "
        f"batches of {found['batch']} ({spread[0]} before, {spread[1]} after)",
        f"the whole chain in one process: {speeds['chain']:.2f} a second",
        f"memory over {kept['requests']} requests: {first:.0f} to {last:.0f} MiB, "
        f"{kept['growth_percent']:+.1f} %",
    ]
    wrong = [text for load in [*found["loads"], kept] for text in load["first_errors"]]
    return "\n".join(lines + [f"error: {text}" for text in wrong])


class Parser(argparse.ArgumentParser):
    """One that refuses in one line."""

    def error(self, message: str):
        """End with exit code 2."""
        self.exit(2, f"Error: {message}\n")


def at_least(least: int):
    """Type of an argument: a whole number that is not less."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"{text!r}: expected a whole number of at least {least}"
            )
        return int(text)

    return number


def main() -> None:
    """Print the table, and write the figures."""
    parser = Parser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("run", metavar="RUN", help="folder of a trained run")
    count = at_least(1)
    parser.add_argument("--clients", type=count, nargs="+", default=[1, 4, 16])
    parser.add_argument("--seconds", type=count, default=20)
    parser.add_argument("--requests", type=at_least(100), default=2000)
    parser.add_argument("--size", type=at_least(4), default=32)
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--json")
    options = parser.parse_args()
    if not (Path(options.run) / "config.json").is_file():
        parser.error(f"{options.run}: no run there; make one with ecosr fit")
    if options.json and not Path(options.json).resolve().parent.is_dir():
        parser.error(f"--json {options.json}: no such folder; make it before")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options, Path(folder))
    print(report(found))
    if options.json:
        write_json(options.json, **found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["own"]:
        print(json.dumps(own(*json.loads(sys.argv[2]))))
    else:
        main()
