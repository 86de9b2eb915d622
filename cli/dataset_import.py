"""`fftmech dataset import`: a dataset of fields that other programs computed."""

import click

from fftmech.datasets.import_fields import Checked, check_fields, import_fields
from fftmech_cli.dataset_run import finish, sample_bar
from fftmech_cli.numbers import Numbers
from fftmech_cli.options import json_option, output_option
from fftmech_cli.rim import print_notes


@click.command("import")
@click.argument("mapping", type=click.Path())
@output_option(
    "Folder of the dataset; one that this command began is continued.", "DIR"
)
@click.option(
    "--splits",
    type=Numbers("TRAIN,VAL,TEST", int),
    help="Samples for training, validation and test, in parts.  [default: 80,10,10]",
)
@click.option("--licence", help="Licence of the data, for its card.")
@click.option(
    "--cite",
    "citation",
    help="How to cite it, for its card.  [default: the program that MAPPING names]",
)
@json_option
def import_command(
    mapping: str,
    output: str,
    splits: tuple[int, int, int] | None,
    licence: str | None,
    citation: str | None,
    as_json: bool,
) -> int:
    """Make a dataset of fields that other programs computed.

    MAPPING is a TOML file that says where stiffness, strain and stress are and how they
    are written (docs/own-data.md). Every sample is checked before anything is written.

    Example: fftmech dataset import mapping.toml -o fields
    """
    with sample_bar("Checking samples") as progress:
        checked = check_fields(mapping, progress)
    print_notes(checked.notes)
    click.echo(_summary(checked), err=as_json)
    return finish(
        output,
        as_json,
        lambda progress: import_fields(
            checked,
            output,
            parts=splits,
            licence=licence,
            citation=citation,
            progress=progress,
        ),
    )


def _summary(checked: Checked) -> str:
    """What the checks found of all samples, in one line."""
    most = {name: f"{ends[1]:.2g}" for name, ends in checked.found.items()}
    count = len(checked.recipe.files)
    samples = f"{count} sample{'s' * (count != 1)} of {checked.res}^3"
    head = f"checked {samples}, at most: "
    means = f"means off the load by {most['mean_error']}; "
    where = f"in scheme {checked.recipe.stated.scheme}"
    if "law_error" in most:
        return (
            f"{head}stress off C e by {most['law_error']}, {means}relative divergence "
            f"{most['divergence']} {where}, {most['divergence_central']} by central "
            f"differences, of C times the mean strain {most['divergence_uniform']}"
        )
    parts = (
        f"relative {name} {most[name]} {where}, {most[f'{name}_central']} by central "
        f"differences, of the means of phases {most[f'{name}_phase_means']}"
        for name in ("incompatibility", "divergence")
    )
    return head + means + "; ".join(parts)
