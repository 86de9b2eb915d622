"""The `ecosr` command: one click group, one file a subcommand."""

import click

import ecosurrogate
from fftmech_cli.rim import Group

SUBCOMMANDS = {
    "compare": "ecosr_compare",
    "evaluate": "evaluate",
    "export": "export",
    "fit": "fit",
    "models": "models",
    "predict": "predict",
    "respond": "respond",
    "serve": "serve",
    "tune": "tune",
}
"""Modules of this package by the names of their commands."""


@click.group(
    "ecosr",
    cls=Group,
    subcommands=SUBCOMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(ecosurrogate.__version__, prog_name="ecosr")
def main() -> None:
    """Train Equilibrium Conserving Operator networks, and predict with them."""


if __name__ == "__main__":
    main()
