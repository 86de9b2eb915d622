"""`fftmech view`: fields in a browser, or one picture of the body."""

import re

import click

from fftmech.errors import InputError
from fftmech.viewer.view import MODES
from fftmech_cli.options import force_option
from fftmech_cli.rim import Finite, check_output


class Size(click.ParamType):
    """Width and height of a picture, as 1280x800."""

    name = "WxH"

    def convert(self, value, param, ctx):
        """Parse two numbers."""
        match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", str(value))
        if match is None:
            self.fail(f"{value!r}: expected WIDTHxHEIGHT, e.g. 1280x800", param, ctx)
        size = int(match[1]), int(match[2])
        if not all(300 <= n <= 8000 for n in size):
            self.fail(
                f"{value}: expected 300 to 8000 pixels, e.g. 1280x800", param, ctx
            )
        return size


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--field",
    metavar="NAME",
    help="What is shown first, as in fftmech plot.  [default: von_mises, or phase "
    "without result]",
)
@click.option("--component", metavar="C", default="", help="xx, yy, ... of a tensor.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="slices",
    show_default=True,
    help="Three planes, the body without a corner, or the whole body.",
)
@click.option(
    "--warp",
    type=Finite(),
    default=0.0,
    metavar="FACTOR",
    help="Show the deformed body, displacements times FACTOR.",
)
@click.option(
    "--screenshot",
    type=click.Path(),
    metavar="PNG",
    help="Write a picture instead of opening a browser.",
)
@click.option(
    "--size",
    type=Size(),
    default="1280x800",
    show_default=True,
    help="Pixels of the picture.",
)
@force_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Of the page; 0 is any free one.  [default: 0]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Of the page.")
@click.option("--no-browser", is_flag=True, help="Print the address, open nothing.")
def view(
    files: tuple[str, ...],
    field: str | None,
    component: str,
    mode: str,
    warp: float,
    screenshot: str | None,
    size: tuple[int, int],
    force: bool,
    port: int,
    host: str,
    no_browser: bool,
) -> None:
    """Look at FILES in a browser: slices, deformed body, spectra, differences.

    FILES are results, predictions, microstructures of any format, samples or time
    series. Of two files the second is what the first is compared with. Nothing is
    loaded from a network, and the server needs no display.

    \b
    fftmech view result.vtkhdf
    fftmech view prediction.vtkhdf solution.vtkhdf --field stress --component xx
    fftmech view result.vtkhdf --warp 100 --screenshot body.png
    """
    from fftmech.figures import save_figure
    from fftmech.viewer.picture import DPI, draw
    from fftmech.viewer.viewer import Viewer

    if len(files) > 2:
        raise InputError(f"{len(files)} files", "one, or two to compare")
    if screenshot is not None:
        if not screenshot.lower().endswith(".png"):
            raise InputError(f"{screenshot}: screenshots are PNG: end the name in .png")
        check_output(screenshot, force)
    viewer = Viewer.open(files, field, component, mode=mode, warp=warp)
    if screenshot is not None:
        save_figure(draw(viewer.panels(), viewer.view, size), screenshot, DPI)
        click.echo(f"wrote {screenshot}")
        return
    from fftmech.viewer.app import serve

    serve(viewer, host, port, open_browser=not no_browser, say=click.echo)
