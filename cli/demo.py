"""`fftmech demo`: a first body, generated, solved and drawn by commands it prints."""

import shlex
from pathlib import Path

import click

from fftmech import InputError, figures, read_result
from fftmech_cli.options import force_option
from fftmech_cli.rim import check_output

STEPS = (
    "generate polycrystal --res 48 --grains 40 -o grains.h5",
    "solve grains.h5 --uniaxial xx=1e-3 -o result.vtkhdf",
    "plot grains.h5 --grid -o grains.png",
    "plot result.vtkhdf --field stress --component xx --grid -o stress.png",
)
"""What the demo runs, its files by their names in the folder."""

FILES = ("grains.h5", "result.vtkhdf", "grains.png", "stress.png")

MEANING = """
At a mean strain xx of {strain:g} the mean stress is {stress:.4g} GPa and the others are
zero: Young's modulus along x is {modulus:.0f} GPa. The certified error is that of the
fields on these voxels; what finer voxels change, --res 96 shows."""

NEXT = """
Next:
  fftmech homogenize {grains}
      the whole effective stiffness, with bounds
  fftmech view {result}
      the fields in the browser (pip install "fftmech[view]"); ParaView opens them too
  fftmech solve YOUR-FILE --materials steel.toml
      CT images, EBSD, DREAM.3D, DAMASK and others: fftmech convert --help
  fftmech doctor
      what is installed, and what this machine has"""


@click.command()
@click.argument("folder", default="fftmech-demo", type=click.Path())
@force_option
def demo(folder: str, force: bool) -> int:
    """Make a small polycrystal in FOLDER, stretch it and draw the stress.

    Prints each command that it runs, as you would type it, and what the numbers mean.
    FOLDER is fftmech-demo if none is given.
    """
    paths = {name: (Path(folder) / name).as_posix() for name in FILES}
    _prepare(Path(folder), list(paths.values()), force)
    try:
        figures.matplotlib_module("figure")
    except InputError as error:
        without = str(error)
    else:
        without = ""
    for step in STEPS:
        words = [paths.get(word, word) for word in step.split()]
        words += ["--force"] if force else []
        click.secho(f"$ fftmech {shlex.join(words)}", bold=True)
        if without and words[0] == "plot":
            click.echo(f"not run: {without}")
        elif code := _run(words):
            return code
    result = read_result(paths["result.vtkhdf"])
    stress, strain = float(result.mean_stress[0]), float(result.mean_strain[0])
    click.echo(MEANING.format(stress=stress, strain=strain, modulus=stress / strain))
    grains, made = (shlex.quote(paths[name]) for name in FILES[:2])
    click.echo(NEXT.format(grains=grains, result=made))
    return 0


def _prepare(folder: Path, files: list[str], force: bool) -> None:
    """Make the folder, and refuse files that are there already."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder}", "a folder, or the name of a new one") from None
    for file in files:
        check_output(file, force, "FOLDER")


def _run(words: list[str]) -> int | None:
    """Run a command of this program; its exit code."""
    from fftmech_cli.fftmech_main import main

    with main.make_context("fftmech", list(words)) as context:
        return main.invoke(context)
