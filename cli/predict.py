"""`ecosr predict`: fields of microstructures by a trained model."""

from pathlib import Path
from typing import Any

import click

from fftmech import InputError, Result, write_result
from fftmech.io import check_writable
from fftmech_cli.boundary import boundary_option, parse_boundary
from fftmech_cli.load import load_options, take_load
from fftmech_cli.means import by_component, show_means
from fftmech_cli.method import device_option
from fftmech_cli.options import force_option, json_option, output_option
from fftmech_cli.predict_many import are_many, plan, tell, write_all
from fftmech_cli.rim import (
    NOT_CONVERGED,
    check_notes,
    check_output,
    print_json,
    print_notes,
)
from fftmech_cli.source import (
    body_options,
    body_reader,
    load_microstructure,
    resolution_options,
)
from fftmech_cli.surrogate import surrogate_packages


@click.command()
@click.argument("run", type=click.Path())
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@body_options
@resolution_options
@load_options("the load of the training set")
@boundary_option
@click.option(
    "--average-shifts",
    "shifts",
    default="1",
    show_default=True,
    metavar="N|all",
    help="Average over so many periodic shifts of the body, each a prediction.",
)
@device_option
@output_option(
    "Result file, or folder of several.  [default: in this folder, "
    "SOURCE-prediction.vtkhdf, or predictions/]",
    required=False,
)
@force_option
@json_option
def predict(
    run: str,
    sources: tuple[str, ...],
    boundary: tuple[str, ...],
    shifts: str,
    device: str,
    output: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Predict the fields of each SOURCE with the model of RUN, and certify them.

    RUN is a folder that `ecosr fit` made, or a name that `ecosr models` lists. SOURCE
    is any file that `fftmech convert` reads, or a folder of such files. The certificate
    bounds the energy error, relative to the energy of the fields; bodies with pores
    have none, nor have boxes with faces, nor models that know no constitutive law.
    Faces are those of the training set; --boundary, if given, has to be the same.
    Fields that are not admissible are not certified (exit code 3).

    Results of several files go into a folder, with predictions.csv, a row a file. A
    file that cannot be predicted does not end the others (exit code 2).

    \b
    Examples: ecosr predict run micro.h5 -o prediction.vtkhdf
              ecosr predict run bodies/ more.vti -o predictions/
    """
    many = are_many(sources, output)
    outputs: dict[str, Path] = {}
    if many:
        outputs = plan(sources, output or "predictions", force)
    else:
        stem = Path(sources[0]).name.split(".")[0]
        output = output or f"{stem}-prediction.vtkhdf"
        check_output(output, force)
        check_writable(output)
    with surrogate_packages():
        from ecosurrogate.evaluation import batches, shift_average
        from ecosurrogate.evaluation import predict as prediction
        from ecosurrogate.evaluation.learned_load import check_boundary, choose_load
        from ecosurrogate.training.checkpoint import load_model
        from ecosurrogate.training.devices import choose
    model, card = load_model(run)
    if boundary:
        check_boundary(run, card, parse_boundary(boundary))
    load = choose_load(card, take_load(options))
    count = _count(shifts)
    options["images"] = card.encoder.images
    if many:
        choose(device)
        shift_average.shifts_of(model, count)
        read = body_reader(**options, tell=check_notes)
        answers = batches.predict_sources(
            model, card, outputs, read, load, device, count
        )
        about = {"model": card.config.model, "load": str(load)}
        return tell(write_all(outputs, answers, about), as_json)
    body = load_microstructure(sources[0], **options)
    result = prediction.predict(model, card, body, load, device, count)
    print_notes(n for n in result.notes if n not in body.notes)
    assert output is not None
    return _write_one(output, result, as_json)


def _write_one(output: str, result: Result, as_json: bool) -> int:
    """Write a result and say what it is; the exit code."""
    write_result(output, result)
    if as_json:
        print_json(
            {
                "model": result.solver,
                "status": result.status,
                "mean_strain": by_component(result.mean_strain),
                "mean_stress": by_component(result.mean_stress),
                "energy": result.energy,
                "certificate": result.certificate,
                "certificates": result.residuals,
                "notes": result.notes,
                "time": result.times,
                "voxels": result.microstructure.grid.voxels,
                "output": output,
            }
        )
    else:
        _show(result)
        click.echo(f"wrote {output}")
    if result.status == "not certified":
        reason = result.certificate["reason"]
        click.echo(f"Error: not certified: {reason}", err=True)
        return NOT_CONVERGED
    return 0


def _count(shifts: str) -> int | None:
    if shifts == "all":
        return None
    if not shifts.isdecimal():
        raise InputError(f"--average-shifts {shifts}", "a number, or all")
    return int(shifts)


def _show(result: Result) -> None:
    nx, ny, nz = result.microstructure.grid.shape
    click.echo(
        f"predicted in {result.times['solve']:.2f} s, prepared in "
        f"{result.times['setup']:.2f} s\n{nx} x {ny} x {nz} voxels, model "
        f"{result.solver}, scheme {result.scheme}"
    )
    show_means(result)
    certificate = result.certificate
    if certificate["relative"] is None:
        click.echo(f"no certificate: {certificate['reason']}")
    else:
        error, uniform = (100 * certificate[name] for name in ("relative", "uniform"))
        click.echo(
            f"certified: energy error {error:.2g} % (uniform fields {uniform:.2g} %)"
        )
