"""`ecosr export`: a trained model as a file that torch runs without this package."""

from pathlib import Path
from typing import Any

import click

from fftmech.errors import InputError
from fftmech.microstructure.resolution import parse_resolution
from fftmech_cli.load import load_options, take_load
from fftmech_cli.options import force_option, json_option, output_option
from fftmech_cli.rim import check_output, print_json
from fftmech_cli.surrogate import surrogate_packages


@click.command()
@click.argument("run", type=click.Path())
@output_option("File of the model, .pt2.")
@click.option(
    "--res",
    metavar="N|NX,NY,NZ",
    required=True,
    help="Voxels along each axis: the file works on this grid alone.",
)
@load_options("the load of the training set")
@force_option
@json_option
def export(
    run: str,
    output: str,
    res: str,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the model of RUN as a file that torch runs without this package.

    RUN is a folder that `ecosr fit` made, or a name that `ecosr models` lists.

    It takes the stiffness at each voxel and returns strain and stress under one load,
    in physical units. What goes in and out is described inside the file.

    Example: ecosr export run -o model.pt2 --res 64
    """
    if Path(output).suffix != ".pt2":
        raise InputError(f"-o {output}", "a name that ends in .pt2")
    check_output(output, force)
    size = parse_resolution(res)
    shape = (size,) * 3 if isinstance(size, int) else tuple(size)
    if min(shape) < 1:
        raise InputError(f"--res {res}", "at least one voxel along each axis")
    with surrogate_packages():
        from ecosurrogate.evaluation import exported_model
        from ecosurrogate.evaluation.learned_load import choose_load
        from ecosurrogate.training.checkpoint import load_model
    model, card = load_model(run)
    load = choose_load(card, take_load(options))
    document = exported_model.export(model, card, shape, load, output)
    if as_json:
        print_json({"output": str(output), **document})
        return
    for kind in ("inputs", "outputs"):
        for part in document[kind]:
            click.echo(f"{kind[:-1]} {part['name']} {tuple(part['shape'])}")
    click.echo(f"load {load}")
    click.echo(
        f"read again, its fields differ by {document['difference']:.1e} of the largest "
        "value from the model's"
    )
    click.echo(f"wrote {output}")
