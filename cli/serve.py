"""`ecosr serve`: trained models over HTTP."""

from pathlib import Path
from typing import Any

import click

from fftmech.errors import InputError
from fftmech_cli.method import device_option
from fftmech_cli.surrogate import surrogate_packages

LOCAL = ("127.0.0.1", "localhost", "::1")
SHORTEST = 16
PACKAGES = ("fastapi", "fastapi_offline", "starlette", "uvicorn", "python_multipart")


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path())
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--host",
    default=LOCAL[0],
    show_default=True,
    help="Address to listen on; any other than this machine's own needs --token.",
)
@click.option(
    "--token",
    envvar="ECOSR_TOKEN",
    help="Clients must send Authorization: Bearer TOKEN. Better than here, where other "
    "users of the machine see it, give it in the environment variable ECOSR_TOKEN.",
)
@device_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that read bodies, and as many that solve; the models are in one.",
)
def serve(
    runs: tuple[str, ...],
    port: int,
    host: str,
    token: str | None,
    device: str,
    workers: int,
) -> None:
    """Serve the models of RUNs over HTTP, with the solver beside them.

    Each RUN is a folder that `ecosr fit` made, or a name that `ecosr models` lists.

    POST /predict and POST /solve take a microstructure and answer VTKHDF; of a RUN of
    `ecosr fit --model dmn`, POST /respond takes materials and a load path and answers
    CSV. GET /openapi.json describes all. SIGTERM or Ctrl-C finishes what was begun; a
    second one ends it.

    Example: ecosr serve run --port 8000
    """
    local = host in LOCAL
    if token is None and not local:
        raise InputError(
            f"--host {host} without --token",
            "one, for others can ask there",
            "set ECOSR_TOKEN or add --token",
        )
    if token is not None and len(token) < SHORTEST:
        raise InputError(
            f"--token of {len(token)} characters",
            f'{SHORTEST} or more; make one with python -c "import secrets',
            'print(secrets.token_urlsafe())"',
        )
    named = {Path(run).resolve().name: run for run in runs}
    if len(named) < len(runs):
        raise InputError(
            "two RUNs with one name: clients name a model by its folder",
            mend="rename one",
        )
    settings, serve_until_stopped = _modules()
    address = f"http://{f'[{host}]' if ':' in host else host}"
    left = serve_until_stopped(
        settings(named, device, workers, token, local),
        host,
        port,
        ready=lambda port: click.echo(
            f"serving {', '.join(named)} at {address}:{port}", err=True
        ),
    )
    for job in left:
        click.echo(
            f"job {job['id']} ({job['kind']}) was {job['state']} when the server "
            "stopped",
            err=True,
        )


def _modules() -> tuple[Any, Any]:
    with surrogate_packages():
        import torch  # noqa: F401
    try:
        from ecosurrogate.server.service import Settings
        from ecosurrogate.server.serving import serve as serve_until_stopped
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        raise InputError(
            f"ecosr serve needs {error.name}, which is not installed",
            mend='pip install "fftmech[surrogate,serve]"',
        ) from None
    return Settings, serve_until_stopped
