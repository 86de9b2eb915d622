"""The datasets, runs and tables of `benchmarks/paper.py`, on two scales."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Study:
    """One dataset, the runs trained on it, and the tables made of them.

    Attributes
    ----------
    dataset
        Arguments of `fftmech dataset`.
    settings
        Arguments of `ecosr fit` that all runs share.
    runs
        Arguments of each run by name; {folder} stands for that of all studies.
    tables
        Runs of each table by the table's name on the page, the first drawn.
    baselines
        Of `ecosr evaluate`.
    """

    dataset: tuple[str, ...]
    settings: tuple[str, ...]
    runs: dict[str, tuple[str, ...]]
    tables: dict[str, tuple[str, ...]]
    baselines: tuple[str, ...] = ("low-res", "cg:1", "cg:2")


def settings(*values: str) -> tuple[str, ...]:
    """Arguments of `ecosr fit` of settings key=value."""
    return tuple(f"--set={value}" for value in values)


def run(model: str, *values: str) -> tuple[str, ...]:
    """Arguments of a model with settings of its own."""
    return ("--model", model, *settings(*values))


BELTRAMI = "options.stress_functions=beltrami"
MAXWELL = "options.stress_functions=maxwell"
# 2.2 million parameters
WIDTHS = "network.channels=[16,48,96,128]"
LOW = WIDTHS, "precision=bf16"
PULLED = (
    *("--boundary", "x=uniaxial", "--boundary", "y=free", "--boundary", "z=free"),
    *("--strain", "xx=8e-5"),
)


def laptop(steps: int, *values: str) -> tuple[str, ...]:
    """Settings that runs of a study share."""
    return settings(f"steps={steps}", f"validate_every={steps // 16}", *values)


LAPTOP: dict[str, Study] = {
    "polycrystals": Study(
        (
            *("polycrystal", "--count", "560", "--res", "32", "--low-res", "16"),
            *("--splits", "512,24,24", "--seed", "24"),
        ),
        laptop(4000),
        {
            "s-eco": run("s-eco", *LOW, BELTRAMI),
            "w-eco": run("w-eco", *LOW),
            "unet": run("unet", *LOW),
            # bodies as coarse as the labels, applied to finer ones, as in the paper
            "tfno": run("unet", "backbone=tfno", "res=16"),
            "deeponet": run("unet", "backbone=deeponet", "res=16"),
            # labels and bodies of one grid: what the networks do where labels are exact
            "s-eco-16": run("s-eco", *LOW, BELTRAMI, "res=16"),
            "unet-16": run("unet", *LOW, "res=16"),
            "s-eco-maxwell": run("s-eco", *LOW, MAXWELL),
            "p-eco": run("p-eco", *LOW),
            "s-eco-64": run("s-eco", *LOW, BELTRAMI, "count=64"),
            "w-eco-64": run("w-eco", *LOW, "count=64"),
            "unet-euler": run("unet", *LOW, "representation=euler"),
            "unet-harmonics": run("unet", *LOW, "representation=cubic-harmonics"),
            "s-eco-fp32": run("s-eco", WIDTHS, BELTRAMI),
            "s-eco-seed-1": run("s-eco", *LOW, BELTRAMI, "seed=1"),
            "w-eco-seed-1": run("w-eco", *LOW, "seed=1"),
            "unet-seed-1": run("unet", *LOW, "seed=1"),
        },
        {
            "methods": (
                *("s-eco", "w-eco", "unet", "tfno", "deeponet"),
                *("s-eco-maxwell", "p-eco"),
            ),
            "same-grid": ("tfno", "s-eco-16", "unet-16"),
            "samples": ("s-eco", "s-eco-64", "w-eco", "w-eco-64"),
            "inputs": ("unet", "unet-euler", "unet-harmonics"),
            "precision": ("s-eco", "s-eco-fp32"),
            "seeds": (
                *("s-eco", "s-eco-seed-1", "w-eco", "w-eco-seed-1"),
                *("unet", "unet-seed-1"),
            ),
        },
    ),
    "faces": Study(
        (
            *("polycrystal", *PULLED, "--count", "560", "--res", "32"),
            *("--low-res", "16", "--splits", "512,24,24", "--seed", "24"),
        ),
        laptop(4000),
        {
            "w-eco": run("w-eco", *LOW),
            "s-eco": run("s-eco", *LOW, BELTRAMI),
            "unet": run("unet", *LOW),
            "tfno": run("unet", "backbone=tfno", "res=16"),
        },
        {"faces": ("s-eco", "w-eco", "unet", "tfno")},
        ("low-res",),
    ),
    "pores": Study(
        (
            *("pores", "--count", "560", "--res", "32", "--low-res", "16"),
            *("--splits", "512,24,24", "--seed", "24"),
        ),
        laptop(2000),
        {
            "w-eco": run("w-eco", *LOW),
            "s-eco": run("s-eco", *LOW, BELTRAMI),
            "unet": run("unet", *LOW),
            "s-eco-fp32": run("s-eco", WIDTHS, BELTRAMI),
        },
        {
            "pores": ("s-eco", "w-eco", "unet"),
            "pores-precision": ("s-eco", "s-eco-fp32"),
        },
    ),
    "finer": Study(
        (
            *("polycrystal", "--count", "536", "--res", "64", "--low-res", "16"),
            *("--splits", "512,12,12", "--seed", "24"),
        ),
        laptop(2000, "batch=1"),
        {
            "s-eco": run("s-eco", *LOW, BELTRAMI),
            # begins with the weights that bodies of 32^3 trained
            "s-eco-from-32": ("--from", "{folder}/polycrystals/s-eco", "--lr", "1e-3"),
        },
        {"finer": ("s-eco", "s-eco-from-32")},
    ),
}

# never run: it needs a GPU for days
PAPER: dict[str, Study] = {
    "faces": Study(
        (
            *("polycrystal", *PULLED, "--count", "1020", "--res", "64"),
            *("--low-res", "32", "--splits", "750,250,20"),
        ),
        ("--preset", "paper"),
        {name: run(name) for name in ("s-eco", "w-eco", "unet")},
        {"faces": ("s-eco", "w-eco", "unet")},
        ("low-res",),
    ),
    "pores": Study(
        (
            *("pores", "--count", "2500", "--res", "128", "--low-res", "64"),
            *("--splits", "2000,250,250"),
        ),
        ("--preset", "paper"),
        {name: run(name) for name in ("s-eco", "w-eco", "unet")},
        {"pores": ("s-eco", "w-eco", "unet")},
        ("low-res",),
    ),
    "finer": Study(
        (
            *("polycrystal", *PULLED, "--count", "1010", "--res", "128"),
            *("--low-res", "32", "--splits", "750,250,10"),
        ),
        ("--preset", "paper"),
        {"s-eco": run("s-eco")},
        {"finer": ("s-eco",)},
        ("low-res",),
    ),
}

SCALES = {"laptop": LAPTOP, "paper": PAPER}
