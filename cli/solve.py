"""`fftmech solve`: one load on one microstructure."""

from functools import partial
from pathlib import Path
from typing import Any

import click

import fftmech
from fftmech import InputError, Load
from fftmech.arrays.memory import size_text
from fftmech.arrays.ranks import world
from fftmech.io import check_writable
from fftmech.results.field_names import chosen, known_names
from fftmech_cli.boundary import boundary_option, parse_boundary
from fftmech_cli.load import load_options
from fftmech_cli.means import report
from fftmech_cli.method import (
    device_option,
    energy_option,
    memory_check,
    method_options,
    take_method,
    temperature_option,
    threads_option,
)
from fftmech_cli.options import force_option, json_option, output_option
from fftmech_cli.path import march_along, path_options, take_path_options
from fftmech_cli.processes import collective
from fftmech_cli.progress import residual_bar
from fftmech_cli.rim import exit_code
from fftmech_cli.source import load_microstructure, resolution_options, source_options

WILDCARDS = str.maketrans("", "", "*?[]")


@click.command()
@source_options
@resolution_options
@load_options("xx=1e-3, others 0")
@path_options
@boundary_option
@partial(method_options, nonlinear=True)
@energy_option
@device_option
@threads_option
@temperature_option
@click.option(
    "--initial",
    type=click.Path(),
    help="Result file of the same grid and scheme to start from.",
)
@output_option(
    "Result file.  [default: SOURCE-result.vtkhdf in this folder]", required=False
)
@click.option(
    "--fields",
    metavar="NAME,NAME|all|none",
    help="Fields to write, of strain, stress, energy_density, von_mises, displacement, "
    "F, P and the internal variables of laws. Of a linear body the others take no "
    "memory.  [default: all]",
)
@force_option
@json_option
@collective
def solve(
    source: str,
    strain: tuple[str, ...],
    stress: tuple[str, ...],
    uniaxial: tuple[str, ...],
    boundary: tuple[str, ...],
    initial: str | None,
    output: str | None,
    fields: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Solve equilibrium of SOURCE and write the fields.

    SOURCE is any file that `fftmech convert` reads; give --materials if it holds no
    stiffness. Strain and stress are tensor components.

    \b
    fftmech solve micro.h5 --res 64
    fftmech solve grid.vti --materials steel.toml --uniaxial zz=1e-3 -o tension.vtkhdf
    fftmech solve micro.h5 --finite --F xx=1.1 --F xy=0.2 --P yy=0 --increments 5
    fftmech solve micro.h5 --path cycle.toml -o cycle.vtkhdf
    fftmech solve large.h5 --precision single --fields stress,von_mises
    """
    method = take_method(options)
    method["temperature"] = options.pop("temperature")
    given = take_path_options(options)
    load = given.load(strain, stress, uniaxial)
    faces = parse_boundary(boundary)
    if output is None:
        # of a pattern of slices without its wildcards
        stem = Path(source).absolute().name.split(".")[0].translate(WILDCARDS)
        output = f"{stem}-result.vtkhdf"
    given.check_files(output, force)
    check_writable(output)
    if initial is not None and world().size > 1:
        raise InputError("--initial under mpiexec", "none", "leave it out")
    guess = None if initial is None else fftmech.read_result(initial)
    options["check"] = memory_check(**method)
    body = load_microstructure(source, ranks=world(), **options)
    path = given.path(load, body)
    names = chosen(fields, known_names(body, load))
    if path is not None:
        for name, value in {"--initial": guess, "--boundary": faces}.items():
            if value is not None:
                raise InputError(
                    f"{name} with a nonlinear body or a load path",
                    "a linear elastic body at small strain",
                    "leave it out",
                )
        return march_along(body, path, method, given, output, names, as_json)
    assert isinstance(load, Load)
    if guess and guess.microstructure.grid.shape != body.grid.shape:
        raise InputError(
            f"--initial {initial} has {size_text(guess.microstructure.grid.shape)} "
            "voxels",
            size_text(body.grid.shape),
            "solve it again at this --res",
        )
    with residual_bar(method, body.grid, "Solving") as progress:
        result = fftmech.solve(
            body,
            load,
            boundary=faces,
            initial=guess,
            progress=progress,
            fields=names,
            output=output,
            **method,
        )
    seconds = result.times["setup"] + result.times["solve"]
    status = "converged in" if result.converged else f"{result.status} after"
    plural = "" if result.iterations == 1 else "s"
    report(
        result,
        f"{status} {result.iterations} iteration{plural}, {seconds:.2f} s: "
        f"residual {result.residual:.1e}",
        {"status": result.status, "iterations": result.iterations},
        {"output": output},
        as_json,
    )
    return exit_code(result.status, result.residual, result.advice)
