"""`fftmech solve`: one load on one microstructure."""

from pathlib import Path
from typing import Any

import click
import numpy as np

import fftmech
from fftmech import InputError, Result
from fftmech.io import check_writable
from fftmech.memory import size_text
from fftmech.tensors import COMPONENTS, components_from_mandel
from fftmech_cli.load import load_options, parse_load, prescribed
from fftmech_cli.method import (
    device_option,
    memory_check,
    method_options,
    note_speed,
    residual_bar,
    take_method,
    threads_option,
)
from fftmech_cli.rim import (
    Finite,
    check_output,
    exit_code,
    print_json,
    show,
    table,
)
from fftmech_cli.source import load_microstructure, resolution_options, source_options


@click.command()
@source_options
@resolution_options
@load_options("xx=1e-3, others 0")
@method_options
@device_option
@threads_option
@click.option(
    "--temperature",
    type=Finite(),
    default=0.0,
    help="Temperature change that drives thermal expansion.  [default: 0]",
)
@click.option(
    "--initial",
    type=click.Path(),
    help="Result file of the same grid and scheme to start from.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="Result file.  [default: SOURCE-result.vtkhdf in this folder]",
)
@click.option("--force", is_flag=True, help="Overwrite the output.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def solve(
    source: str,
    res: str | None,
    composite: str | None,
    strain: tuple[str, ...],
    stress: tuple[str, ...],
    uniaxial: tuple[str, ...],
    initial: str | None,
    output: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Solve elasticity on SOURCE and write the fields.

    SOURCE is any file that `fftmech convert` reads; give --materials if it holds no
    stiffness. Strain and stress are tensor components.

    \b
    fftmech solve micro.h5 --res 64
    fftmech solve grid.vti --materials steel.toml --uniaxial zz=1e-3 -o tension.vtkhdf
    """
    method = take_method(options)
    method["temperature"] = options.pop("temperature")
    load = parse_load(strain, stress, uniaxial)
    if output is None:
        output = f"{Path(source).name.split('.')[0]}-result.vtkhdf"
    check_output(output, force)
    check_writable(output)
    guess = None if initial is None else fftmech.read_result(initial)
    microstructure = load_microstructure(
        source,
        res=res,
        composite=composite,
        check=memory_check(**method),
        **options,
    )
    if guess:
        has, wants = guess.microstructure.grid.shape, microstructure.grid.shape
        if has != wants:
            raise InputError(
                f"--initial {initial} has {size_text(has)} voxels: expected "
                f"{size_text(wants)}; solve it again at this --res"
            )
    with residual_bar(method, microstructure.grid, "Solving") as progress:
        result = fftmech.solve(
            microstructure, load, initial=guess, progress=progress, **method
        )
    fftmech.write_result(output, result)
    if as_json:
        print_json(_document(result, output))
    else:
        _show(result, output)
    return exit_code(result.status, result.residual, result.advice)


def by_component(mandel: np.ndarray) -> dict[str, float]:
    """Tensor components by name of a Mandel vector."""
    values = components_from_mandel(mandel)
    return {name: float(x) for name, x in zip(COMPONENTS, values, strict=True)}


def _document(result: Result, output: str) -> dict[str, Any]:
    return {
        "status": result.status,
        "iterations": result.iterations,
        "residual": result.residual,
        "mean_strain": by_component(result.mean_strain),
        "mean_stress": by_component(result.mean_stress),
        "energy": result.energy,
        "certificate": result.certificate,
        "time": result.times,
        "voxels": result.microstructure.grid.voxels,
        "output": str(output),
    }


def _show(result: Result, output: str) -> None:
    nx, ny, nz = result.microstructure.grid.shape
    seconds = result.times["setup"] + result.times["solve"]
    status = "converged in" if result.converged else f"{result.status} after"
    plural = "" if result.iterations == 1 else "s"
    click.echo(
        f"{status} {result.iterations} iteration{plural}, {seconds:.2f} s: "
        f"residual {result.residual:.1e}\n"
        f"{nx} x {ny} x {nz} voxels, scheme {result.scheme}, solver {result.solver}"
    )
    note_speed(result.microstructure.grid, result.times)
    show_means(result)
    bound = result.certificate.get("relative")
    if bound is not None:
        click.echo(f"certified relative error of the discrete fields {bound:.1e}")
    elif result.certificate:
        click.echo(f"no certificate: {result.certificate['reason']}")
    click.echo(f"wrote {output}")


def show_means(result: Result) -> None:
    """Print the load, the volume averages and the energy."""
    unit = result.microstructure.units.get("stress", "stress units")
    rows = table("", "prescribed", "mean strain", f"mean stress ({unit})")
    load = prescribed(result.load.strain, result.load.stress)
    strain, stress = by_component(result.mean_strain), by_component(result.mean_stress)
    for name in COMPONENTS:
        rows.add_row(name, load[name], _number(strain, name), _number(stress, name))
    show("Load and volume averages; tensor components", rows)
    click.echo(f"energy density {result.energy:.6g} {unit}")


def _number(values: dict[str, float], name: str) -> str:
    """A component, rounded to what the largest of the six can resolve."""
    size = max(abs(v) for v in values.values())
    value = values[name] if abs(values[name]) > 1e-12 * size else 0.0
    return f"{value:.6g}"
