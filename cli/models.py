"""`ecosr models`: the models that come with the package."""

from collections.abc import Iterator
from typing import Any

import click

from ecosurrogate.pretrained.catalogue import folder_of, names, read_card
from fftmech_cli.options import json_option
from fftmech_cli.rim import print_json, show, table


@click.command()
@click.argument("name", required=False)
@json_option
def models(name: str | None, as_json: bool) -> None:
    """List the pretrained models, or tell what is known of the one of that NAME.

    Wherever another command takes a RUN, such a name will do:

    ecosr predict NAME micro.h5 -o prediction.vtkhdf
    """
    if name is not None:
        card = read_card(name)
        if as_json:
            print_json({"folder": str(folder_of(name)), **card})
        else:
            _show(card)
        return
    cards = [read_card(name) for name in names()]
    if as_json:
        print_json({"models": cards})
        return
    rows = table("name", "voxels", "strain", "stress", "energy", "uniform")
    for card in cards:
        test = card["test"]
        errors = (test["strain"], test["stress"])
        energies = (test["energy"], test["uniform"]["energy"])
        rows.add_row(
            card["name"],
            f"{card['resolution']}^3",
            *(f"{error:.2g}" for error in errors),
            *(_percent(energy) for energy in energies),
        )
    show(
        "Pretrained models: resolution they were trained at; on bodies for the test\n"
        "nRMSE of strain and stress (uniform field 1), energy error, uniform field's",
        rows,
    )
    for card in cards:
        click.echo(f"{card['name']}: {card['about']}; load: {_load(card)}")


def _show(card: dict[str, Any]) -> None:
    from rich.table import Table

    rows = Table(box=None, pad_edge=False, show_header=False)
    for title, text in _facts(card):
        rows.add_row(title, text)
    show(f"{card['name']}: {card['about']}", rows)


def _facts(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines of a card: a title and a text each."""
    model, training, data = card["model"], card["training"], card["dataset"]
    test, weights, check = card["test"], card["weights"], card["check"]
    uniform = test["uniform"]
    admissible = "compatible strain, equilibrated stress, certified without pores"
    yield "fields", admissible if model["admissible"] else "strain, stress"
    yield "load", _load(card)
    yield "scheme", f"{card['scheme']}; voxels that are cubes"
    yield (
        "network",
        f"{model['model']}, {model['backbone']} {model['preset']}, "
        f"{model['parameters']:,} parameters, {weights['bytes'] / 1e6:.2g} MB in "
        f"{weights['precision']} precision",
    )
    yield (
        "trained",
        f"{training['steps']} steps of {training['batch']}, {training['hours']:g} h",
    )
    yield (
        "on",
        f"{data['train']} examples ({data['recipe']['kind']}) of "
        f"{card['resolution']}^3 voxels, labels of {data['labels']}^3; {data['val']} "
        "for validation",
    )
    yield "", data["command"]
    for each in training["ancestors"]:
        before = each["dataset"]
        yield "before on", f"{before['train']} examples ({before['kind']})"
    for name, (low, high) in card["domain"]["ranges"].items():
        ends = dict.fromkeys(f"{end:.3g}" for end in (low, high))
        yield name, " to ".join(ends)
    yield "phases", ", ".join(card["domain"]["symmetries"])
    yield (
        "test",
        f"{test['samples']} solved examples of {test['resolution']}^3 that it was not "
        "trained on; means:",
    )
    for name in ("strain", "stress"):
        skill = test["skill"][name]
        known = "" if skill is None else f", skill {skill:.4f}"
        yield f"  {name}", f"nRMSE {test[name]:.2g} (uniform field 1){known}"
    if test["energy"] is not None:
        yield (
            "  energy",
            f"error {_percent(test['energy'])} (uniform field "
            f"{_percent(uniform['energy'])}), certificate "
            f"{_percent(test['certificate'])}",
        )
    yield (
        "  cost",
        f"{test['green_operations'] or 0} Green operations and the network; the solver "
        f"took {test['iterations_of_solver']:.2g} iterations",
    )
    yield (
        "one more",
        f"of {check['res']}^3: strain {check['strain']:.2g}, stress "
        f"{check['stress']:.2g}, certificate {_percent(check['certificate'])}",
    )
    yield "licence", card["licence"]
    yield "folder", str(folder_of(card["name"]))


def _load(card: dict[str, Any]) -> str:
    known, under = card["load"]["known"], card["load"]["trained_under"]
    return f"any; trained under {under}" if known == "any" else f"multiples of {under}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2g} %"
