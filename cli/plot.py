"""`fftmech plot`: slices and spectra of a file, as a picture."""

import click

from fftmech import figures, io
from fftmech.errors import InputError
from fftmech.figures.planes import middle_slices
from fftmech.results.scalar_fields import FIELDS, default_field, microstructure_of
from fftmech_cli.options import force_option
from fftmech_cli.rim import check_output


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--field",
    metavar="NAME",
    help=f"One of {', '.join(FIELDS)}; at finite strain F, P; internal variables by "
    "name, for instance accumulated_plastic_strain.  [default: von_mises, or phase "
    "without result]",
)
@click.option(
    "--component",
    "components",
    multiple=True,
    metavar="C",
    help="xx yy zz yz xz xy, or x y z of the displacement; repeat for several.  "
    "[default: all]",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="AXIS=WHERE",
    help="z=mid, z=12 (voxel, from 0) or z=25%; repeat for several.  [default: z=mid]",
)
@click.option("--grid", is_flag=True, help="The middle slices of x, y and z together.")
@click.option("--spectrum", is_flag=True, help="Power spectrum instead of slices.")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    required=True,
    help=f"Picture: {', '.join(figures.FORMATS)}.",
)
@click.option("--dpi", type=click.IntRange(10, 2400), default=150, show_default=True)
@force_option
def plot(
    file: str,
    field: str | None,
    components: tuple[str, ...],
    slices: tuple[str, ...],
    grid: bool,
    spectrum: bool,
    output: str,
    dpi: int,
    force: bool,
) -> None:
    """Draw slices, or the power spectrum, of a field in FILE.

    FILE is a result, a microstructure (its phases), or a sample of a dataset (its
    first load at the lowest resolution). Components are tensor
    components; strain and stress are voxel averages. The displacement is drawn without
    the part of the mean strain: its fluctuation, at the nodes.

    \b
    fftmech plot micro.h5 --grid -o micro.png
    fftmech plot result.vtkhdf --field stress --component xx -o stress.png
    fftmech plot result.vtkhdf --field strain --spectrum -o spectrum.pdf
    """
    if grid + spectrum + bool(slices) > 1:
        raise InputError("--grid, --slice and --spectrum exclude each other: give one")
    figures.check_picture(output)
    check_output(output, force)
    solved = io.kind(file) in ("result", "sample", "series")
    source = io.read_result(file) if solved else io.read(file)
    field = field or default_field(source)
    if spectrum:
        figure = figures.spectrum_figure(source, field, components)
    else:
        planes = slices or ("z=mid",)
        if grid:
            planes = middle_slices(microstructure_of(source).grid)
        figure = figures.slices_figure(source, field, components, planes)
    figures.save_figure(figure, output, dpi)
    click.echo(f"wrote {output}")
