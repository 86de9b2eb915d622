"""`fftmech convert`: any readable file to the one format."""

from typing import Any

import click

from fftmech.io import check_writable, write
from fftmech_cli.options import force_option, output_option
from fftmech_cli.rim import check_output
from fftmech_cli.source import load_microstructure, source_options


@click.command()
@source_options
@output_option("File to write (.h5).")
@force_option
def convert(source: str, output: str, force: bool, **options: Any) -> None:
    """Turn SOURCE into a VTKHDF microstructure.

    SOURCE is VTKHDF, bare HDF5, DREAM.3D (7, 8), an EBSD scan (.ang, .ctf, .h5oina),
    EVPFFT text, FANS HDF5, DAMASK .vti, neper .tesr, Abaqus .inp of voxels, .vtk, .vtr,
    .mha, .nrrd, .npy, a .tif stack, a folder of .tif or .png slices, or a headerless
    .raw or .raw.gz.

    \b
    fftmech convert grid.vti -o micro.h5 --materials steel.toml
    fftmech convert rock.raw.gz --shape 128,128,128 --dtype uint8 --threshold 0 \\
        -o rock.h5
    """
    check_output(output, force)
    check_writable(output)
    microstructure = load_microstructure(source, **options)
    if microstructure.stiffness is not None:
        microstructure.check(rigid=True)
    write(output, microstructure)
    nx, ny, nz = microstructure.grid.shape
    stiffness = "no stiffness yet (--materials)"
    if microstructure.stiffness is not None:
        unit = microstructure.units.get("stress", "stress units not named")
        stiffness = f"stiffness in {unit}"
    click.echo(
        f"wrote {output}: {nx} x {ny} x {nz} voxels, "
        f"{len(microstructure.phases)} phases, {stiffness}"
    )
