"""The `ecosr` command."""

import click

import ecosurrogate
from fftmech_cli.rim import Group


@click.group(
    "ecosr", cls=Group, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(ecosurrogate.__version__, prog_name="ecosr")
def main() -> None:
    """Equilibrium Conserving Operator surrogates.

    This release holds no subcommand yet: training and prediction are to come.
    """
