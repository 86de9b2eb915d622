"""`fftmech dataset`: make datasets, look after them, put them together."""

from typing import Any

import click

from fftmech import io
from fftmech.datasets.collect import merge, subset
from fftmech.datasets.make import extend, repair
from fftmech.datasets.overlap import sentence
from fftmech.datasets.splits import SPLITS
from fftmech.datasets.stiffness_pairs import StiffnessPairs
from fftmech.datasets.summary import summarize
from fftmech_cli.dataset_import import import_command
from fftmech_cli.dataset_make import composites, polycrystal, pores
from fftmech_cli.dataset_run import finish, run_options, sample_bar, size, take_run
from fftmech_cli.dataset_stiffness import show_pairs, stiffness_command
from fftmech_cli.options import force_option, json_option, output_option
from fftmech_cli.rim import check_output, print_json, print_notes, show, table

SHOWN = 6
"""Entries of a list that `fftmech dataset info` shows."""

_output = output_option("Folder of the dataset to make.", "DIR")


@click.group()
def dataset() -> None:
    """Make solved microstructures by the thousand, and look after them.

    A dataset is a folder. The command that made it continues it after an
    interruption.
    """


for command in (polycrystal, pores, composites, stiffness_command, import_command):
    dataset.add_command(command)


@dataset.command("info")
@click.argument("directory", type=click.Path())
@json_option
def info(directory: str, as_json: bool) -> None:
    """Show what the dataset in DIRECTORY is made of, and what it has."""
    if StiffnessPairs.at(directory) or StiffnessPairs.each(directory):
        show_pairs(directory, as_json)
        return
    document = summarize(directory)
    print_notes(document["card"].get("notes", ()))
    if as_json:
        print_json({"dataset": directory, **document})
        return
    card = document["card"]
    rows = table("samples", *SPLITS)
    for name in ("wanted", "done", "failed", "missing"):
        rows.add_row(name, *(str(document[name][split]) for split in SPLITS))
    show(f"{directory}: {card['kind']}, {size(document['bytes'])}", rows)
    for name in ("seed", "levels", "loads", "method", "parameters", "split", "shard"):
        if card[name] is not None:
            click.echo(f"{name}: {_text(card[name])}")
    click.echo(f"licence: {card['licence'] or 'none given (--licence)'}")
    for split, found in document["overlap"].items():
        click.echo(sentence(split, found))
    click.echo()
    rows = table("", "min", "mean", "max")
    for res, spread in document["iterations"].items():
        rows.add_row(f"iterations at {res}", *_spread(spread))
    names = {}
    for name, spread in document["statistics"].items():
        if "mean" in spread:
            rows.add_row(name, *_spread(spread))
        else:
            names[name] = spread
    show("Statistics", rows)
    for name, counts in names.items():
        click.echo(f"{name}: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    for reason, count in document["failures"].items():
        click.echo(f"failed {count} x: {reason}")


@dataset.command("verify")
@click.argument("directory", type=click.Path())
@click.option("--repair", "mend", is_flag=True, help="Make what is wrong again.")
@run_options
@json_option
def verify(directory: str, mend: bool, as_json: bool, **options: Any) -> int:
    """Compare every sample in DIRECTORY with its SHA-256.

    Exit code 2 if something is wrong, or still is after --repair.
    """
    data = io.Dataset(directory)
    summary = summarize(directory)
    faults = []
    with sample_bar("Verifying") as progress:
        for checked, fault in enumerate(data.verify(), 1):
            faults += [fault] if fault else []
            progress(checked - len(faults), len(faults), len(data))
    unknown = data.unknown()
    document: dict[str, Any] = {
        "dataset": directory,
        "checked": len(data),
        "faults": {str(fault.index): fault.what for fault in faults},
        "missing": sum(summary["missing"].values()),
        "overlap": summary["overlap"],
        "unknown": [path.name for path in unknown],
        "unreadable_lines": data.unreadable,
    }
    wrong = bool(faults or data.unreadable)
    if mend and (wrong or document["missing"]):
        with sample_bar("Repairing") as progress:
            repaired = repair(
                directory,
                [fault.index for fault in faults],
                progress=progress,
                **take_run(options),
            )
        document["repaired"], document["changed"] = repaired
        summary = summarize(directory)
        document["missing"] = sum(summary["missing"].values())
        document["overlap"] = summary["overlap"]
        wrong = document["missing"] > 0
    if as_json:
        print_json(document)
    else:
        _show_faults(document)
    return 2 if wrong else 0


def _show_faults(document: dict[str, Any]) -> None:
    directory, faults = document["dataset"], document["faults"]
    right = document["checked"] - len(faults)
    click.echo(f"{directory}: {right} of {document['checked']} samples are right")
    for split, found in document["overlap"].items():
        click.echo(sentence(split, found))
    for index, what in faults.items():
        click.echo(f"sample {index}: {what}")
    if document["unreadable_lines"]:
        click.echo(f"manifest: {document['unreadable_lines']} lines cannot be read")
    if document["unknown"]:
        click.echo(f"not listed: {', '.join(document['unknown'])}")
    if "repaired" in document:
        click.echo(f"made again: {document['repaired']}")
        if document["changed"]:
            click.echo(
                f"{document['changed']} of them differ from the old ones in their last "
                "bits: they were made on another machine or with other versions"
            )
        if document["missing"]:
            click.echo(f"{document['missing']} samples are still missing")
    elif faults or document["unreadable_lines"]:
        click.echo("--repair makes them again")
    elif document["missing"]:
        click.echo(
            f"{document['missing']} samples are not made yet: run the command that "
            "began the dataset, or --repair"
        )


@dataset.command("extend")
@click.argument("directory", type=click.Path())
@click.option(
    "--count",
    required=True,
    type=click.IntRange(1, 10**7),
    help="Number of samples that there shall be in all.",
)
@run_options
@json_option
def extend_command(directory: str, count: int, as_json: bool, **options: Any) -> int:
    """Make more samples in DIRECTORY; those that are there stay."""
    return finish(
        directory,
        as_json,
        lambda progress: extend(
            directory, count, progress=progress, **take_run(options)
        ),
    )


@dataset.command("merge")
@click.argument("directories", nargs=-1, required=True, type=click.Path())
@_output
def merge_command(directories: tuple[str, ...], output: str) -> None:
    """Put the shards in DIRECTORIES together.

    Files are linked where the file system can, else copied.
    """
    missing = merge(directories, output)
    click.echo(f"{output}: {len(io.Dataset(output))} samples")
    if missing:
        click.echo(
            f"{missing} samples are missing: the command that made the shards, without "
            f"--shard and with -o {output}, makes them"
        )


@dataset.command("subset")
@click.argument("directory", type=click.Path())
@click.option("--split", required=True, type=click.Choice(SPLITS))
@_output
def subset_command(directory: str, split: str, output: str) -> None:
    """Make a dataset of one split of the one in DIRECTORY.

    Files are linked where the file system can, else copied.
    """
    count = subset(directory, split, output)
    click.echo(f"{output}: {count} samples")


@dataset.command("plot")
@click.argument("directory", type=click.Path())
@click.option("--statistics", is_flag=True, help="Histograms instead of samples.")
@output_option("Picture: .png, .pdf, .svg.")
@click.option("--dpi", type=click.IntRange(10, 2400), default=150, show_default=True)
@force_option
def plot(directory: str, statistics: bool, output: str, dpi: int, force: bool) -> None:
    """Draw a contact sheet of the dataset in DIRECTORY, or its statistics."""
    from fftmech import figures
    from fftmech.datasets.figures import contact_sheet, statistics_figure

    figures.check_picture(output)
    check_output(output, force)
    data = io.Dataset(directory)
    figure = statistics_figure(data) if statistics else contact_sheet(data)
    figures.save_figure(figure, output, dpi)
    click.echo(f"wrote {output}")


def _spread(spread: dict[str, float]) -> list[str]:
    return [f"{spread[name]:.4g}" for name in ("min", "mean", "max")]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{k} {_text(v)}" for k, v in value.items() if v not in (None, {})
        )
    if isinstance(value, list):
        more = f" ... ({len(value)} in all)" if len(value) > SHOWN else ""
        return " ".join(map(_text, value[:SHOWN])) + more
    return str(value)
