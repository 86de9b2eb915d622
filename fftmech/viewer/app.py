"""The page: trame's widgets around VTK scenes that the browser draws with vtk.js.

Geometry and colours of cells are sent, and the browser renders them, so that the server
needs neither display nor GPU. All that the page loads comes from installed packages.
"""

import io
import logging
from collections.abc import Callable
from dataclasses import replace
from math import ceil, floor
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.viewer.charts import bar_chart, histogram_chart, spectrum_chart
from fftmech.viewer.exhibit import Exhibit
from fftmech.viewer.page import build_page
from fftmech.viewer.page_state import (
    PROBED,
    SHOWN,
    first_state,
    probed_voxel,
    shown_view,
    titles,
)
from fftmech.viewer.picture import Projection
from fftmech.viewer.stage import LOOKS, Stage
from fftmech.viewer.state import MODES, probe_rows, with_field
from fftmech.viewer.summary import describe

try:
    from trame.app import get_server
except ImportError:
    raise InputError(
        "the viewer needs trame, which is not installed",
        mend='pip install "fftmech[view]"',
    ) from None

DRAGGED = 4
"""Pixels between press and release of the mouse that are no click."""


class App:
    """The page of a exhibit, and what happens when something on it is changed."""

    def __init__(self, exhibit: Exhibit) -> None:
        self.exhibit = exhibit
        self.server: Any = get_server(f"fftmech-view-{id(self)}", client_type="vue3")
        panels = exhibit.panels()
        # along the edges of several small boxes numbers would overlap
        self.stages = [Stage(p.subject.body.grid, len(panels) == 1) for p in panels]
        state, controller = self.server.state, self.server.controller
        state.update(first_state(exhibit))
        state.change("field", "component")(self._on_field)
        state.change(*SHOWN)(self._on_view)
        state.change(*PROBED)(self._on_probe)
        state.change("time")(self._on_time)
        state.change("tab")(self._show_chart)
        self.server.trigger("picture")(self.picture)
        self.server.trigger("key")(self.on_key)
        controller.look, controller.pick = self.look, self.pick
        controller.deform = self.deform
        self.views: list[Any] = []
        self._show_runs()
        self._show_probe()
        self.show()
        self.views = build_page(self.server, self.stages, exhibit)

    def show(self, values: bool = True) -> None:
        """Put on the page what the view shows; `values`: also colour bars, charts."""
        shown = self.exhibit.colored_panels()
        for stage, (panel, view) in zip(self.stages, shown, strict=True):
            stage.show(panel.subject.source, panel.scalar, view)
        if values:
            self._show_bars()
            self._show_chart()
        state, keep = self.server.state, self.exhibit.view.keep
        state.keep_text = "all voxels"
        if keep is not None:
            low, high, unit = *keep, shown[0][0].scalar.unit
            if self.exhibit.view.field == "phase":
                low, high = ceil(low), floor(high)
            state.keep_text = f"{low:.4g} to {high:.4g} {unit}"
        for view in self.views:
            view.update()

    def look(self, name: str) -> None:
        """Look from one of `LOOKS`."""
        for stage, view in zip(self.stages, self.views, strict=True):
            stage.look(*LOOKS[name])
            view.push_camera(center_of_rotation=stage.centre)

    def pick(self, number: int, event: Any, pressed: Any) -> None:
        """Probe the voxel that was clicked on, unless the mouse was dragged."""
        if not event or not event.get("worldPosition") or not pressed:
            return
        x, y = event["displayPosition"][:2]
        if abs(x - pressed["x"]) + abs(y - pressed["y"]) > DRAGGED:
            return
        voxel = self.stages[number].voxel_at(event["worldPosition"])
        if voxel is not None:
            self.server.state.update(dict(zip(PROBED, voxel, strict=True)))

    def deform(self) -> None:
        """Choose the factor that makes the largest displacement a tenth of the box."""
        self.server.state.warp = f"{self.exhibit.visible_warp():.3g}"

    def on_key(self, key: str) -> None:
        """Do what a key stands for (docs/look-at-a-result.md)."""
        state = self.server.state
        if key in "xyz":
            state.axis = key
        elif key in "XYZ":
            self.look(key.lower())
        elif key == "H":
            self.look("corner")
        elif key in ("ArrowLeft", "ArrowRight"):
            name = f"slice_{state.axis}"
            shape = self.exhibit.subjects[0].body.grid.shape
            last = shape["xyz".index(state.axis)] - 1
            step = 1 if key == "ArrowRight" else -1
            state[name] = min(max(int(state[name]) + step, 0), last)
        elif key in "cC" and state.components:
            state.component = _next(state.components, state.component, key == "c")
        elif key in "fF":
            state.field = _next(list(self.exhibit.fields), state.field, key == "f")
        elif key == "m":
            state.mode = _next(list(MODES), state.mode)

    def picture(self, camera: dict[str, Any] | None = None) -> bytes:
        """PNG of what is shown, from where the browser looks at it."""
        projection = None
        if camera:
            near = np.subtract(camera["position"], camera["focalPoint"])
            projection = Projection.towards(near, camera["viewUp"])
        written = io.BytesIO()
        self.exhibit.picture(projection=projection).savefig(written, format="png")
        return written.getvalue()

    def _on_field(self, field: str, component: str, **_: Any) -> None:
        view, state = self.exhibit.view, self.server.state
        if (field, component) == (view.field, view.component):
            return
        known = self.exhibit.fields.get(field, ())
        if component not in known:
            component = known[0] if known else ""
        self.exhibit.view = with_field(view, self.exhibit.subjects[0], field, component)
        state.components, state.component = list(known), component
        state.keep, state.ends = [0, 100], self.exhibit.view.ends
        state.titles = titles(self.exhibit)
        self.show()

    def _on_view(self, **_: Any) -> None:
        state, before = self.server.state, self.exhibit.view
        view = shown_view(state, self.exhibit)
        if view == before:
            return
        if view.ends == "own" and before.ends != "own":
            state.low, state.high = (f"{end:.6g}" for end in view.limits)
        self.exhibit.view = view
        recolored = any(
            getattr(view, name) != getattr(before, name)
            for name in ("colors", "ends", "limits")
        )
        self.show(values=recolored)

    def _on_probe(self, **_: Any) -> None:
        voxel = probed_voxel(self.server.state, self.exhibit)
        if voxel is not None and voxel != self.exhibit.view.probe:
            self.exhibit.view = replace(self.exhibit.view, probe=voxel)
            self.show(values=False)
            self._show_probe()

    def _on_time(self, time: float, **_: Any) -> None:
        if self.exhibit.subjects[0].times:
            self.exhibit.at(int(time))
            # the threshold is a part of the range of values, which is another now
            self.exhibit.view = shown_view(self.server.state, self.exhibit)
            self.server.state.titles = titles(self.exhibit)
            self._show_runs()
            self._show_probe()
            self.show()

    def _show_runs(self) -> None:
        rows = [describe(subject) for subject in self.exhibit.subjects]
        names = list(dict.fromkeys(name for row in rows for name in row))
        state = self.server.state
        state.runs = [
            # an equation stays on one line
            [name, *(row.get(name, "").replace(" = ", "\u00a0=\u00a0") for row in rows)]
            for name in names
        ]
        state.time_text = rows[0].get("time", "")

    def _show_probe(self) -> None:
        exhibit = self.exhibit
        digits = 5 if len(exhibit.subjects) == 1 else 4
        tables = [
            probe_rows(exhibit.view, subject, exhibit.fields, digits)
            for subject in exhibit.subjects
        ]
        self.server.state.probed = [
            [row[0][0], *(values[1] for values in row), row[0][2]]
            for row in zip(*tables, strict=True)
        ]

    def _show_bars(self) -> None:
        self.server.state.bars = [
            bar_chart(panel.scalar, panel.subject.body, view)
            for panel, view in self.exhibit.colored_panels()
        ]

    def _show_chart(self, **_: Any) -> None:
        exhibit, state = self.exhibit, self.server.state
        if exhibit.view.field == "phase":
            state.histogram = state.spectrum = ""
            return
        scalars = exhibit.scalars()[: len(exhibit.subjects)]
        names = ("A", "B")[: len(scalars)]
        if state.tab == "histogram":
            state.histogram = histogram_chart(scalars, names)
        elif state.tab == "spectrum":
            body = exhibit.subjects[0].body
            length = body.units.get("length", "")
            state.spectrum = spectrum_chart(scalars, names, body.grid, length)


def serve(
    exhibit: Exhibit,
    host: str,
    port: int,
    open_browser: bool,
    say: Callable[[str], Any],
) -> None:
    """Serve the page of a exhibit until it is interrupted.

    Parameters
    ----------
    exhibit
        What is shown.
    host, port
        Address of the page; port 0 is any free one.
    open_browser
        Whether to open it in the user's browser.
    say
        Called with the address when the page is there.

    Raises
    ------
    InputError
        An address that is not this machine's, or a port that is taken.
    """
    app = App(exhibit)
    logging.getLogger("wslink").setLevel(logging.ERROR)

    def ready(**_: Any) -> None:
        say(f"http://{host}:{app.server.port}/  (Ctrl-C ends)")

    app.server.controller.on_server_ready.add(ready)
    try:
        app.server.start(
            port=port,
            host=host,
            open_browser=open_browser,
            show_connection_info=False,
            disable_logging=True,
            timeout=0,
        )
    except OSError as error:
        raise InputError(
            f"cannot serve at {host}, port {port} ({error.strerror or error})",
            mend="choose another --port or --host",
        ) from error


def _next(names: list[str], name: str, forward: bool = True) -> str:
    return names[(names.index(name) + (1 if forward else -1)) % len(names)]
