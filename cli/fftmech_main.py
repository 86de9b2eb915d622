"""The `fftmech` command: one click group, one file a subcommand."""

import click

import fftmech
from fftmech_cli.rim import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fftmech.__version__, prog_name="fftmech")
def main() -> None:
    """Solve elasticity on voxel microstructures with FFTs."""
