"""`fftmech plot`: slices and spectra of a file, as a picture."""

import click

from fftmech import figures, io
from fftmech.errors import InputError
from fftmech.figures.planes import middle_slices
from fftmech.microstructure.poles import INDICES, parse_pole, poles
from fftmech.results.scalar_fields import FIELDS, default_field, microstructure_of
from fftmech_cli.options import force_option, output_option
from fftmech_cli.rim import Finite, check_output, print_notes


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
    "--pole",
    "planes",
    multiple=True,
    metavar="HKL",
    help="Pole figure of the crystals' orientations, of planes by Miller indices: 111 "
    "or 1-10 of cubic, 0001 or 10-10 of hexagonal crystals; repeat for several.",
)
@click.option(
    "--symmetry",
    type=click.Choice(list(INDICES)),
    help="Of crystals of which neither a slip law nor the stiffness says it.",
)
@click.option(
    "--c-over-a",
    type=Finite(),
    metavar="RATIO",
    help="Axes of hexagonal crystals whose slip law does not give it, for poles such "
    "as 10-11.",
)
@output_option(f"Picture: {', '.join(figures.FORMATS)}.")
@click.option("--dpi", type=click.IntRange(10, 2400), default=150, show_default=True)
@force_option
def plot(
    file: str,
    field: str | None,
    components: tuple[str, ...],
    slices: tuple[str, ...],
    grid: bool,
    spectrum: bool,
    planes: tuple[str, ...],
    symmetry: str | None,
    c_over_a: float | None,
    output: str,
    dpi: int,
    force: bool,
) -> None:
    """Draw slices, or the power spectrum, of a field in FILE, or its pole figures.

    FILE is a result, a microstructure (its phases), or a sample of a dataset (its
    first load at the lowest resolution). Components are tensor
    components; strain and stress are voxel averages. The displacement is drawn without
    the part of the mean strain: its fluctuation, at the nodes.

    Pole figures are the upper hemisphere in equal-area projection: sample x to the
    right, y up.

    \b
    fftmech plot micro.h5 --grid -o micro.png
    fftmech plot result.vtkhdf --field stress --component xx -o stress.png
    fftmech plot result.vtkhdf --field strain --spectrum -o spectrum.pdf
    fftmech plot micro.h5 --pole 111 --pole 100 -o texture.png
    """
    if grid + spectrum + bool(slices) + bool(planes) > 1:
        raise InputError(
            "--grid, --slice, --spectrum and --pole exclude each other: give one"
        )
    if planes and (field or components):
        raise InputError("--pole draws no field: leave out --field and --component")
    if not planes and (symmetry or c_over_a is not None):
        raise InputError("--symmetry and --c-over-a are of crystals: add --pole HKL")
    poles_of = [parse_pole(plane) for plane in planes]
    figures.check_picture(output)
    check_output(output, force)
    solved = io.kind(file) in ("result", "sample", "series")
    source = io.read_result(file) if solved else io.read(file)
    field = field or default_field(source)
    if planes:
        body = microstructure_of(source)
        drawn = [poles(body, plane, symmetry, c_over_a) for plane in poles_of]
        print_notes(dict.fromkeys(note for each in drawn for note in each.notes))
        figure = figures.pole_figure(drawn)
    elif spectrum:
        figure = figures.spectrum_figure(source, field, components)
    else:
        where = slices or ("z=mid",)
        if grid:
            where = middle_slices(microstructure_of(source).grid)
        figure = figures.slices_figure(source, field, components, where)
    figures.save_figure(figure, output, dpi)
    click.echo(f"wrote {output}")
