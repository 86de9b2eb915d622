"""Options that prescribe a load."""

from collections.abc import Callable, Sequence
from math import isfinite, nan
from typing import Any, TypeVar

import click

from fftmech import FiniteLoad, InputError, Load
from fftmech.loads.finite_load import NAMES
from fftmech.tensors import COMPONENTS
from fftmech_cli.options import options

Kind = TypeVar("Kind", Load, FiniteLoad)


def load_options(default: str) -> Callable[[Callable], Callable]:
    """Add --strain, --stress and --uniaxial; `default` says the load without them."""
    return options(
        click.option(
            "--strain",
            multiple=True,
            metavar="IJ=VALUE",
            help="Prescribed mean strain, tensor component (xy is half the "
            f"engineering shear); may be repeated.  [default: {default}]",
        ),
        click.option(
            "--stress",
            multiple=True,
            metavar="IJ=VALUE",
            help="Prescribed mean stress, tensor component; may be repeated.",
        ),
        click.option(
            "--uniaxial",
            multiple=True,
            metavar="IJ=VALUE",
            help="This mean strain, and zero mean stress in the five others.",
        ),
    )


def parse_load(
    strain: tuple[str, ...], stress: tuple[str, ...], uniaxial: tuple[str, ...]
) -> Load:
    """Return the load of the options of `load_options`, without any xx=1e-3."""
    given = {"--strain": strain, "--stress": stress}
    return _parse(Load, given, uniaxial, COMPONENTS, "six") or Load({"xx": 1e-3})


def take_load(options: dict[str, Any]) -> Load | None:
    """Take the values of `load_options` out of all; the load, None if none is given."""
    given = [options.pop(name) for name in ("strain", "stress", "uniaxial")]
    return parse_load(*given) if any(given) else None


def parse_finite_load(
    F: tuple[str, ...], P: tuple[str, ...], uniaxial: tuple[str, ...]
) -> FiniteLoad:
    """Return the load that --F, --P and --uniaxial describe."""
    load = _parse(FiniteLoad, {"--F": F, "--P": P}, uniaxial, NAMES, "nine")
    if load is None:
        raise InputError(
            "--finite without a load: add --F xx=1.1, --P yy=0, or --uniaxial xx=1.1"
        )
    return load


def _parse(
    kind: type[Kind],
    given: dict[str, tuple[str, ...]],
    uniaxial: tuple[str, ...],
    names: Sequence[str],
    count: str,
) -> Kind | None:
    """Return the load of some kind that options describe, None if there are none."""
    if uniaxial:
        if uniaxial[1:] or any(given.values()):
            raise InputError(
                f"--uniaxial {uniaxial[0]} with another --uniaxial, "
                f"{' or '.join(given)}: --uniaxial sets all {count} components",
                mend="give it alone",
            )
        ((component, value),) = _parse_values("--uniaxial", uniaxial, names).items()
        return kind.uniaxial(component, value)
    if not any(given.values()):
        return None
    return kind(*(_parse_values(*item, names) for item in given.items()))


def _parse_values(
    option: str, items: tuple[str, ...], names: Sequence[str]
) -> dict[str, float]:
    """Return the values of IJ=VALUE by component."""
    expected = f"IJ=VALUE with IJ of {', '.join(names)}"
    values = {}
    for component, text in parse_pairs(option, items, names, expected).items():
        try:
            value = float(text)
        except ValueError:
            value = nan
        if not isfinite(value):
            raise InputError(
                f"{option} {component}={text}: {text!r} is not a finite number",
                mend=f"write for instance {option} {component}=1e-3",
            )
        values[component] = value
    return values


def parse_pairs(
    option: str, items: tuple[str, ...], names: Sequence[str], expected: str
) -> dict[str, str]:
    """Return the texts of NAME=TEXT by name, each of which is given once."""
    texts = {}
    for item in items:
        name, _, text = item.partition("=")
        name = name.strip()
        if name not in names:
            raise InputError(f"{option} {item}", expected)
        if name in texts:
            raise InputError(f"{option} names {name} twice: give it once")
        texts[name] = text.strip()
    return texts


def prescribed(load: Load | FiniteLoad) -> dict[str, str]:
    """What a load prescribes of each component, as text."""
    if isinstance(load, FiniteLoad):
        return {
            **{name: f"F {int(name[0] == name[1])}" for name in NAMES},
            **{name: f"F {value:.4g}" for name, value in load.F.items()},
            **{name: f"P {value:.4g}" for name, value in load.P.items()},
        }
    return {
        **dict.fromkeys(COMPONENTS, "strain 0"),
        **{c: f"strain {value:.4g}" for c, value in load.strain.items()},
        **{c: f"stress {value:.4g}" for c, value in load.stress.items()},
    }
