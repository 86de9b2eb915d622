"""Ask a served surrogate and the solver beside it, from several threads at once.

    python examples/ask_a_server.py [picture.png [http://127.0.0.1:8000]]

Without the address of a server (`ecosr serve RUN`) it first trains a small model for
ten seconds and serves that. Sixteen polycrystals are sent to it, four at a time. The
picture shows the largest stress in each of them, predicted over solved.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from matplotlib.figure import Figure

from ecosurrogate.client import Client
from ecosurrogate.training.run import prepare
from ecosurrogate.training.train import fit
from fftmech import Result, figures, read_result, write
from fftmech.datasets.draft import new_card
from fftmech.datasets.make import make
from fftmech.datasets.polycrystal import PolycrystalRecipe
from fftmech.microstructure import polycrystal
from fftmech.results.scalar_fields import scalar_fields

BODIES, TOGETHER = 16, 4


def main(picture: str, address: str | None) -> None:
    """Send bodies to a server and draw what it answers."""
    with tempfile.TemporaryDirectory() as folder:
        if address is not None:
            found = ask(Client(address), Path(folder))
        else:
            run = train(Path(folder))
            with served(run) as address:
                found = ask(Client(address), Path(folder))
    errors = [predicted.certificate["relative"] for predicted, _ in found]
    # some models have none
    if None not in errors:
        print(f"certified energy errors: at most {100 * max(errors):.2g} %")
    print(f"solved in {max(solved.iterations for _, solved in found)} iterations")
    draw(found, picture)


def train(folder: Path) -> Path:
    """A small model that has seen twenty bodies of 16^3 voxels."""
    data, run = folder / "grains", folder / "run"
    make(data, new_card(PolycrystalRecipe(), 24, levels=(16,), parts=(20, 2, 2)))
    fit(prepare(data, run, {"preset": "smoke", "steps": 60}))
    return run


@contextmanager
def served(run: Path) -> Iterator[str]:
    """The address of `ecosr serve RUN`, in a process of its own."""
    command = [sys.executable, "-m", "fftmech_cli.ecosr_main", "serve", str(run)]
    with subprocess.Popen(
        [*command, "--port", "0"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            # serving run at http://127.0.0.1:35413
            yield process.stderr.readline().split()[-1]
        finally:
            process.terminate()


def ask(client: Client, folder: Path) -> list[tuple[Result, Result]]:
    """Predictions and solutions of polycrystals of 24^3 voxels, under one load."""

    def answers(seed: int) -> tuple[Result, Result]:
        body = folder / f"{seed}.h5"
        write(body, polycrystal(24, grains=20, seed=seed))
        found = []
        for name, work in (("predicted", client.predict), ("solved", client.solve)):
            result = folder / f"{seed}-{name}.vtkhdf"
            result.write_bytes(work(body.read_bytes(), uniaxial="xx=1e-3"))
            found.append(read_result(result))
        return found[0], found[1]

    with ThreadPoolExecutor(TOGETHER) as threads:
        return list(threads.map(answers, range(BODIES)))


def draw(found: list[tuple[Result, Result]], picture: str) -> None:
    """The largest von Mises stress in each body, predicted over solved."""
    peaks = [[1e3 * peak(result) for result in pair] for pair in found]
    predicted, solved = zip(*peaks, strict=True)
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.axline((min(solved), min(solved)), slope=1, color="0.7", zorder=0)
    axes.scatter(solved, predicted)
    axes.set(
        title="Largest von Mises stress in 16 polycrystals",
        xlabel="solved (MPa)",
        ylabel="predicted (MPa)",
        aspect="equal",
    )
    figures.save_figure(figure, picture)


def peak(result: Result) -> float:
    """The largest von Mises stress."""
    return float(scalar_fields(result, "von_mises")[0].values.max())


# the processes that make samples import this file
if __name__ == "__main__":
    picture, address = [*sys.argv[1:3], None, None][:2]
    main(picture or "ask_a_server.png", address)
