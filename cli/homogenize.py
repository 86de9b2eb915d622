"""`fftmech homogenize`: effective stiffness from six loads."""

from typing import Any

import click
from numpy import inf, isfinite

import fftmech
from fftmech import Effective
from fftmech.arrays.ranks import world
from fftmech.tensors import COMPONENTS, voigt_from_mandel
from fftmech.tensors.stiffness import isotropic_moduli
from fftmech_cli.means import by_component
from fftmech_cli.method import (
    device_option,
    energy_option,
    memory_check,
    method_options,
    note_speed,
    take_method,
    threads_option,
)
from fftmech_cli.options import json_option
from fftmech_cli.processes import collective
from fftmech_cli.progress import residual_bar
from fftmech_cli.rim import exit_code, print_json, print_notes, show, table
from fftmech_cli.source import load_microstructure, resolution_options, source_options


@click.command()
@source_options
@resolution_options
@method_options
@energy_option
@device_option
@threads_option
@json_option
@collective
def homogenize(source: str, as_json: bool, **options: Any) -> int:
    """Effective stiffness of SOURCE, with bounds.

    \b
    fftmech homogenize micro.h5 --res 64
    fftmech homogenize rock.raw.gz --shape 128,128,128 --dtype uint8 \\
        --materials calcite.toml --json
    """
    method = take_method(options)
    options["check"] = memory_check(**method)
    body = load_microstructure(source, ranks=world(), **options)
    with residual_bar(method, body.grid, "Solving") as report:
        effective = fftmech.homogenize(
            body,
            progress=lambda load, count, residual: report(
                count, residual, f"load {load + 1} of 6, "
            ),
            **method,
        )
    print_notes(n for n in effective.notes if n not in body.notes)
    if as_json:
        print_json(_document(effective))
    else:
        _show(effective)
        note_speed(body.grid, effective.times)
    return exit_code(effective.status, max(effective.residuals), effective.advice)


def _document(effective: Effective) -> dict[str, Any]:
    bounds = effective.bounds
    matrices = {n: voigt_from_mandel(bounds[n]).tolist() for n in ("voigt", "reuss")}
    return {
        "status": effective.status,
        "stiffness": voigt_from_mandel(effective.stiffness).tolist(),
        "engineering": effective.engineering,
        "symmetry": effective.symmetry,
        "bounds": bounds | matrices,
        "iterations": effective.iterations,
        "residuals": effective.residuals,
        "time": effective.times,
        "units": effective.units,
        "thermal_expansion": _expansion(effective),
        "notes": effective.notes,
    }


def _expansion(effective: Effective) -> dict[str, float] | None:
    """Tensor components of the thermal expansion by name, or None."""
    if effective.thermal_expansion is None:
        return None
    return by_component(effective.thermal_expansion)


def _show(effective: Effective) -> None:
    unit = effective.units.get("stress", "stress units")
    C = voigt_from_mandel(effective.stiffness)
    rows = table("C", *COMPONENTS)
    for name, row in zip(COMPONENTS, C, strict=True):
        rows.add_row(
            name, *(f"{v if abs(v) > 1e-9 * C.max() else 0.0:.5g}" for v in row)
        )
    show(f"Effective stiffness, Voigt, engineering shear ({unit})", rows)

    values = {
        name: "-" if value is None else f"{value:.5g}"
        for name, value in effective.engineering.items()
    }
    rows = table("E", "G", "Poisson's ratio", "", "nearest isotropic")
    for names in (
        ("E_x", "G_yz", "nu_xy", "nu_yx", "K"),
        ("E_y", "G_xz", "nu_xz", "nu_zx", "G"),
        ("E_z", "G_xy", "nu_yz", "nu_zy", "E"),
        (None, None, None, None, "nu"),
    ):
        rows.add_row(*(f"{n} {values[n]}" if n else "" for n in names))
    show(f"Engineering constants (moduli in {unit})", rows)

    bounds = effective.bounds
    narrow = bounds["hashin_shtrikman"]
    moduli = {
        "Reuss": isotropic_moduli(bounds["reuss"]),
        "Hashin-Shtrikman lower": narrow and (narrow["K"][0], narrow["G"][0]),
        "this microstructure": isotropic_moduli(effective.stiffness),
        "Hashin-Shtrikman upper": narrow and (narrow["K"][1], narrow["G"][1]),
        "Voigt": isotropic_moduli(bounds["voigt"])
        if isfinite(bounds["voigt"]).all()
        else (inf, inf),
    }
    rows = table("", "K", "G")
    for name, of_bound in moduli.items():
        if of_bound is not None:
            rows.add_row(name, *(f"{value:.5g}" for value in of_bound))
    show(f"Bounds and result, isotropic parts ({unit})", rows)

    thermal = _expansion(effective)
    if thermal is not None:
        listed = "  ".join(f"{name} {value:.5g}" for name, value in thermal.items())
        click.echo(f"thermal expansion (per degree): {listed}")
    distances = ", ".join(
        f"{name.replace('_', ' about ')} {100 * value if value > 1e-9 else 0:.2g} %"
        for name, value in effective.symmetry.items()
    )
    click.echo(click.wrap_text(f"distance from symmetry, in these axes: {distances}"))
    click.echo(f"anisotropy A_U {values['A_U']}, Zener ratio {values['zener']}")
    seconds = effective.times["setup"] + effective.times["solve"]
    click.echo(
        f"{effective.status}: iterations of the six loads {effective.iterations}, "
        f"{seconds:.2f} s"
    )
