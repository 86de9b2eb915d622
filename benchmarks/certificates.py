"""Certificates of random fields and predictions, beside the truth.

    python benchmarks/certificates.py [--pairs 1000] [--bodies 200] [--run FOLDER]

Fields: strains and stresses at random distances of the solution, half of them with a
random inadmissible part, some in single precision, on random anisotropic bodies of 8^3
voxels and contrasts of 1 to 1e6, in every scheme. Predictions: of the same kind of
bodies, contrasts of 1 to 1e4, by models of random weights, and by that of a run. The
truth is a solve to rounding; what is certified of that is the only allowance. A
certificate is broken where the error is larger, or the energies do not bracket that of
the solution.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from machine import table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from random_bodies import Solution, problem_of, random_body, random_load, random_pair

from fftmech import SCHEMES
from fftmech.problems.certificate import Certificate, certify

SHAPE = (8, 8, 8)
PAIRS_A_BODY = 10
MODELS = {
    "s-eco": {},
    "p-eco": {},
    "p-eco-stepped": {},
    "p-eco-iterated": {"corrections": 4},
    "p-eco-iterated, energy=stress": {"corrections": 4, "energy": "stress"},
}

Judged = tuple[str, Solution, tuple[np.ndarray, np.ndarray], Certificate]
"""What was certified, the truth, the fields and their certificate."""


def fields(rng: np.random.Generator, count: int) -> Iterator[Judged]:
    """Random pairs, scheme by scheme."""
    for body in range(-(-count // PAIRS_A_BODY)):
        scheme = list(SCHEMES)[body % len(SCHEMES)]
        contrast = 10 ** rng.uniform(0, 6)
        problem = problem_of(
            random_body(rng, SHAPE, contrast), random_load(rng), scheme
        )
        known = Solution(problem)
        for i in range(PAIRS_A_BODY):
            pair = random_pair(rng, known, inadmissible=i % 2)
            yield f"fields, {scheme}", known, pair, certify(problem, *pair)


def predictions(
    rng: np.random.Generator, count: int, run: str | None
) -> Iterator[Judged]:
    """Predictions of every model, body by body."""
    from untrained_models import predict, untrained

    from ecosurrogate.training.checkpoint import load_model

    schemes = [name for name, scheme in SCHEMES.items() if scheme.points == 1]
    trained = load_model(run) if run else None
    for seed in range(count):
        scheme = schemes[seed % len(schemes)]
        body = random_body(rng, SHAPE, 10 ** rng.uniform(0, 4))
        load = random_load(rng)
        known = Solution(problem_of(body, load, scheme))
        models = {
            name: untrained(name.split(",")[0], scheme, seed, **options)
            for name, options in MODELS.items()
        }
        if trained and trained[1].encoder.scheme == scheme:
            models["trained run"] = trained
        for name, (model, card) in models.items():
            result = predict(model, card, body, load)
            pair = result.strain[None], result.stress[None]
            said = {k: v for k, v in result.certificate.items() if k != "uniform"}
            yield name, known, pair, Certificate(**said)


def main() -> None:
    """Print how many certificates are broken, and the largest ratio of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--bodies", type=int, default=200)
    parser.add_argument("--run", help="a folder of `ecosr fit`")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, float]] = {}
    allowance = 0.0
    for judged in (
        fields(rng, given.pairs),
        predictions(rng, given.bodies, given.run),
    ):
        for name, known, pair, certificate in judged:
            row = found.setdefault(name, dict.fromkeys(COLUMNS, 0.0))
            row["certified"] += certificate.gap is not None
            row["refused"] += certificate.gap is None
            allowance = max(allowance, known.certificate.relative or 0.0)
            if certificate.gap is None:
                continue
            said, ratio = known.broken(*pair, certificate)
            row["broken"] += bool(said)
            row["largest error / certificate"] = max(
                row["largest error / certificate"], ratio
            )
            for line in said:
                print(f"{name}: {line}", file=sys.stderr)
    rows = [
        [name, *(f"{row[c]:.0f}" for c in COLUMNS[:3]), f"{row[COLUMNS[3]]:.6f}"]
        for name, row in found.items()
    ]
    print(table(["", *COLUMNS], rows))
    print(f"\nlargest certificate of a truth: {allowance:.1e}")
    sys.exit(any(row["broken"] for row in found.values()))


COLUMNS = ("certified", "refused", "broken", "largest error / certificate")


if __name__ == "__main__":
    main()
