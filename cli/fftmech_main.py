"""The `fftmech` command: one click group, one file a subcommand."""

import click

import fftmech
from fftmech_cli.compare import compare
from fftmech_cli.convert import convert
from fftmech_cli.generate import generate
from fftmech_cli.homogenize import homogenize
from fftmech_cli.info import info
from fftmech_cli.plot import plot
from fftmech_cli.rim import Group
from fftmech_cli.solve import solve


@click.group(
    "fftmech", cls=Group, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(fftmech.__version__, prog_name="fftmech")
def main() -> None:
    """Solve elasticity on voxel microstructures with FFTs."""


main.add_command(compare)
main.add_command(convert)
main.add_command(generate)
main.add_command(homogenize)
main.add_command(info)
main.add_command(plot)
main.add_command(solve)
