"""What subcommands of `ecosr` share: packages that they need, options of a model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click

from ecosurrogate.training.config import BACKBONES, MODELS, SIZES
from fftmech.errors import InputError
from fftmech.plugins import plugins

RESPONSE = "dmn"
"""The model that has no fields (`ecosurrogate.response`)."""

Command = TypeVar("Command", bound=Callable)


@contextmanager
def surrogate_packages(extras: str = "surrogate") -> Iterator[None]:
    """A context for imports; says what to install if one fails (InputError)."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        raise InputError(
            f"ecosr needs {error.name}, which is not installed",
            mend=f'pip install "fftmech[{extras}]"',
        ) from None


def model_options(command: Command) -> Command:
    """Options of a model and its training, None where they are not given."""
    others = (each.name for each in plugins("ecosurrogate.networks"))
    options = (
        click.option(
            "--model",
            type=click.Choice((*MODELS, RESPONSE)),
            help="[default: p-eco-iterated; dmn of pairs of stiffness]  ecosr fit "
            "--help lists them.",
        ),
        click.option(
            "--backbone",
            type=click.Choice([*BACKBONES, *others]),
            help="Network.  [default: by model]",
        ),
        click.option(
            "--preset",
            type=click.Choice(SIZES),
            help="Size of the network, steps and batch.  [default: small]",
        ),
        click.option("--steps", type=click.IntRange(min=1), help="Optimizer steps."),
        click.option(
            "--batch", type=click.IntRange(min=1), help="Samples in each step."
        ),
        click.option("--seed", type=click.IntRange(min=0), help="[default: 0]"),
    )
    for option in reversed(options):
        command = option(command)
    return command
