"""Options that prescribe a load."""

from collections.abc import Callable, Sequence
from math import isfinite, nan

import click

from fftmech import FiniteLoad, InputError, Load
from fftmech.loads.finite_load import NAMES
from fftmech.tensors import COMPONENTS

DEFAULT = Load(strain={"xx": 1e-3})
"""The load of a command line that names none."""


def load_options(default: str) -> Callable[[Callable], Callable]:
    """Add --strain, --stress and --uniaxial; `default` says the load without them."""
    options = (
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

    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def parse_load(
    strain: tuple[str, ...], stress: tuple[str, ...], uniaxial: tuple[str, ...]
) -> Load:
    """Return the load that the options of `load_options` describe."""
    if uniaxial:
        if strain or stress or len(uniaxial) > 1:
            raise InputError(
                f"--uniaxial {uniaxial[0]} with another --uniaxial, --strain or "
                "--stress: --uniaxial sets all six components",
                mend="give it alone",
            )
        ((component, value),) = parse_components("--uniaxial", uniaxial).items()
        return Load.uniaxial(component, value)
    if not strain and not stress:
        return DEFAULT
    return Load(
        parse_components("--strain", strain), parse_components("--stress", stress)
    )


def parse_finite_load(
    F: tuple[str, ...], P: tuple[str, ...], uniaxial: tuple[str, ...]
) -> FiniteLoad:
    """Return the load that --F, --P and --uniaxial describe."""
    if uniaxial:
        if F or P or len(uniaxial) > 1:
            raise InputError(
                f"--uniaxial {uniaxial[0]} with another --uniaxial, --F or --P: "
                "--uniaxial sets all nine components",
                mend="give it alone",
            )
        ((component, value),) = parse_components("--uniaxial", uniaxial, NAMES).items()
        return FiniteLoad.uniaxial(component, value)
    if not F and not P:
        raise InputError(
            "--finite without a load: add --F xx=1.1, --P yy=0, or --uniaxial xx=1.1"
        )
    return FiniteLoad(
        parse_components("--F", F, NAMES), parse_components("--P", P, NAMES)
    )


def parse_components(
    option: str, items: tuple[str, ...], names: Sequence[str] = COMPONENTS
) -> dict[str, float]:
    """Return the values of IJ=VALUE by component."""
    values: dict[str, float] = {}
    for item in items:
        component, _, text = item.partition("=")
        component = component.strip()
        if component not in names:
            raise InputError(
                f"{option} {item}", f"IJ=VALUE with IJ of {', '.join(names)}"
            )
        if component in values:
            raise InputError(f"{option} names {component} twice: give it once")
        try:
            value = float(text)
        except ValueError:
            value = nan
        if not isfinite(value):
            raise InputError(
                f"{option} {item}: {text!r} is not a finite number",
                mend=f"write for instance {option} {component}=1e-3",
            )
        values[component] = value
    return values


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
