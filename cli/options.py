"""Options that many commands have."""

from collections.abc import Callable

import click

Decorator = Callable[[Callable], Callable]


def options(*added: Decorator) -> Decorator:
    """Return a decorator that adds several options, which --help lists in order."""

    def add(command: Callable) -> Callable:
        for option in reversed(added):
            command = option(command)
        return command

    return add


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the outcome as JSON."
)

force_option = click.option("--force", is_flag=True, help="Overwrite the output.")


def output_option(
    text: str, metavar: str | None = None, required: bool = True
) -> Decorator:
    """Option -o of a file or folder that is made."""
    return click.option(
        *("-o", "--output"),
        required=required,
        type=click.Path(),
        metavar=metavar,
        help=text,
    )
