"""Options that prescribe a load."""

from collections.abc import Callable, Sequence
from math import isfinite, nan

import click

from fftmech import FiniteLoad, InputError, Load
from fftmech.loads.finite_load import NAMES
from fftmech.tensors import COMPONENTS
from fftmech_cli.options import options

DEFAULT = Load(strain={"xx": 1e-3})
"""The load where the command line has no --strain, --stress or --uniaxial."""


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
    """Return the load that the options of `load_options` describe."""
    if uniaxial:
        mixed = "--strain or --stress: --uniaxial sets all six components"
        return Load.uniaxial(*_parse_uniaxial(uniaxial, bool(strain or stress), mixed))
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
        mixed = "--F or --P: --uniaxial sets all nine components"
        return FiniteLoad.uniaxial(
            *_parse_uniaxial(uniaxial, bool(F or P), mixed, NAMES)
        )
    if not F and not P:
        raise InputError(
            "--finite without a load: add --F xx=1.1, --P yy=0, or --uniaxial xx=1.1"
        )
    return FiniteLoad(
        parse_components("--F", F, NAMES), parse_components("--P", P, NAMES)
    )


def _parse_uniaxial(
    items: tuple[str, ...],
    others: bool,
    mixed: str,
    names: Sequence[str] = COMPONENTS,
) -> tuple[str, float]:
    """Return component and value of the one --uniaxial, which has no others beside."""
    if others or len(items) > 1:
        raise InputError(
            f"--uniaxial {items[0]} with another --uniaxial, {mixed}",
            mend="give it alone",
        )
    ((component, value),) = parse_components("--uniaxial", items, names).items()
    return component, value


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
