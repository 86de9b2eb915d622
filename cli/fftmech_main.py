"""The `fftmech` command: one click group, one file a subcommand."""

import click

import fftmech
from fftmech_cli.rim import Group

SUBCOMMANDS = (
    "compare",
    "convert",
    "dataset",
    "demo",
    "doctor",
    "generate",
    "homogenize",
    "info",
    "plot",
    "solve",
    "view",
)
"""Modules of this package, each with a command of its name."""


@click.group(
    "fftmech",
    cls=Group,
    subcommands={name: name for name in SUBCOMMANDS},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(fftmech.__version__, prog_name="fftmech")
def main() -> None:
    """Solve elasticity on voxel microstructures with FFTs."""


if __name__ == "__main__":
    main()
