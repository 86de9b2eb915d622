"""The page: trame's widgets around VTK scenes that the browser draws with vtk.js.

Geometry and colours of cells are sent, and the browser renders them, so that the server
needs neither display nor GPU. All that the page loads comes from installed packages.
"""

import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, floor
from typing import Any

import numpy as np

from fftmech.errors import InputError
from fftmech.viewer.charts import bar_chart, histogram_chart, spectrum_chart
from fftmech.viewer.opened_file import describe, probe
from fftmech.viewer.picture import LOOKS, Projection, draw, shortened
from fftmech.viewer.view import MODES
from fftmech.viewer.viewer import (
    PROBED,
    SHOWN,
    Viewer,
    first_state,
    probed_voxel,
    shown_view,
    with_field,
)

try:
    from trame.app import get_server

    from fftmech.viewer.page import build_page
    from fftmech.viewer.render_window import RenderWindow
except ImportError as error:
    raise InputError(
        f"the viewer needs trame and VTK, of which {error.name} is not installed",
        mend='pip install "fftmech[view]"',
    ) from None

DRAGGED = 4
"""Pixels between press and release of the mouse that are no click."""


class App:
    """The page of a viewer, and what happens when something on it is changed."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.server: Any = get_server(f"fftmech-view-{id(self)}", client_type="vue3")
        self.state = state = self.server.state
        panels = viewer.panels()
        # along the edges of several small boxes numbers would overlap
        alone = len(panels) == 1
        self.windows = [RenderWindow(panel.file.body.grid, alone) for panel in panels]
        state.update(first_state(viewer))
        state.change("field", "component")(self._on_field)
        state.change(*SHOWN)(self._on_view)
        state.change(*PROBED)(self._on_probe)
        state.change("time")(self._on_time)
        state.change("tab")(self._show_chart)
        self.server.trigger("picture")(self.picture)
        self.server.trigger("key")(self.on_key)
        self.views: list[Any] = []
        self._show_texts()
        self.show()
        self.views = build_page(self)

    def show(self, values: bool = True) -> None:
        """Put on the page what the view shows; `values`: also colour bars, charts."""
        state, view, panels = self.state, self.viewer.view, self.viewer.panels()
        for window, panel in zip(self.windows, panels, strict=True):
            window.show(panel, view)
        length = 170 if len(panels) == 1 else 52
        state.titles = [shortened(panel.title, length) for panel in panels]
        if values:
            state.bars = [bar_chart(panel) for panel in panels]
            self._show_chart()
        state.keep_text = "all voxels"
        if view.keep is not None:
            low, high = view.keep
            if view.field == "phase":
                low, high = ceil(low), floor(high)
            state.keep_text = f"{low:.4g} to {high:.4g} {panels[0].scalar.unit}"
        for shown in self.views:
            shown.update()

    def look(self, name: str) -> None:
        """Look from one of `LOOKS`."""
        for window, view in zip(self.windows, self.views, strict=True):
            window.look(*LOOKS[name])
            view.push_camera(center_of_rotation=window.centre)

    def pick(self, number: int, event: Any, pressed: Any) -> None:
        """Probe the voxel that was clicked on, unless the mouse was dragged."""
        if not event or not event.get("worldPosition") or not pressed:
            return
        x, y = event["displayPosition"][:2]
        if abs(x - pressed["x"]) + abs(y - pressed["y"]) > DRAGGED:
            return
        voxel = self.windows[number].voxel_at(event["worldPosition"])
        if voxel is not None:
            self.state.update(dict(zip(PROBED, voxel, strict=True)))

    def deform(self) -> None:
        """Choose the factor that makes the largest displacement a tenth of the box."""
        self.state.warp = f"{self.viewer.visible_warp():.3g}"

    def on_key(self, key: str) -> None:
        """Do what a key stands for (docs/look-at-a-result.md)."""
        state = self.state
        if key in "xyz":
            state.axis = key
        elif key in "XYZ":
            self.look(key.lower())
        elif key == "H":
            self.look("corner")
        elif key in ("ArrowLeft", "ArrowRight"):
            name = f"slice_{state.axis}"
            count = self.viewer.files[0].body.grid.shape["xyz".index(state.axis)]
            moved = int(state[name]) + (1 if key == "ArrowRight" else -1)
            state[name] = min(max(moved, 0), count - 1)
        elif key in "cC" and state.components:
            state.component = _next(state.components, state.component, key == "c")
        elif key in "fF":
            state.field = _next(list(self.viewer.fields), state.field, key == "f")
        elif key == "m":
            state.mode = _next(MODES, state.mode)

    def picture(self, camera: dict[str, Any] | None = None) -> bytes:
        """PNG of what is shown, from where the browser looks at it."""
        projection = None
        if camera:
            near = np.subtract(camera["position"], camera["focalPoint"])
            projection = Projection.towards(near, camera["viewUp"])
        figure = draw(self.viewer.panels(), self.viewer.view, projection=projection)
        written = io.BytesIO()
        figure.savefig(written, format="png")
        return written.getvalue()

    def _on_field(self, field: str, component: str, **_: Any) -> None:
        viewer, state = self.viewer, self.state
        if (field, component) == (viewer.view.field, viewer.view.component):
            return
        known = viewer.fields.get(field, ())
        if component not in known:
            component = known[0] if known else ""
        viewer.view = with_field(viewer.view, viewer.files[0], field, component)
        state.components, state.component = list(known), component
        state.keep, state.ends = [0, 100], viewer.view.ends
        self.show()

    def _on_view(self, **_: Any) -> None:
        before, view = self.viewer.view, shown_view(self.state, self.viewer)
        if view == before:
            return
        if view.ends == "own" and before.ends != "own":
            self.state.low, self.state.high = (f"{end:.6g}" for end in view.limits)
        self.viewer.view = view
        colors = ((v.colors, v.ends, v.limits) for v in (view, before))
        self.show(values=next(colors) != next(colors))

    def _on_probe(self, **_: Any) -> None:
        voxel = probed_voxel(self.state, self.viewer)
        if voxel is not None and voxel != self.viewer.view.probe:
            self.viewer.view = replace(self.viewer.view, probe=voxel)
            self.show(values=False)
            self._show_texts()

    def _on_time(self, time: float, **_: Any) -> None:
        if self.viewer.files[0].times:
            self.viewer.files = [file.at(int(time)) for file in self.viewer.files]
            # the threshold is a part of the range of values, which is another now
            self.viewer.view = shown_view(self.state, self.viewer)
            self._show_texts()
            self.show()

    def _show_texts(self) -> None:
        """Fill the tables of the runs and of the probed voxel."""
        viewer, state = self.viewer, self.state
        runs = [describe(file) for file in viewer.files]
        state.runs = [
            # an equation stays on one line
            [name, *(run.get(name, "").replace(" = ", "\u00a0=\u00a0") for run in runs)]
            for name in dict.fromkeys(name for run in runs for name in run)
        ]
        state.time_text = runs[0].get("time", "")
        digits = 5 if len(viewer.files) == 1 else 4
        voxel, fields = viewer.view.probe, viewer.fields
        tables = [probe(file, voxel, fields, digits) for file in viewer.files]
        state.probed = [
            [row[0][0], *(values[1] for values in row), row[0][2]]
            for row in zip(*tables, strict=True)
        ]

    def _show_chart(self, **_: Any) -> None:
        viewer, state = self.viewer, self.state
        if viewer.view.field == "phase":
            state.histogram = state.spectrum = ""
            return
        scalars = viewer.scalars()[: len(viewer.files)]
        names = ("A", "B")[: len(scalars)]
        if state.tab == "histogram":
            state.histogram = histogram_chart(scalars, names)
        elif state.tab == "spectrum":
            state.spectrum = spectrum_chart(scalars, names, viewer.files[0].body)


def serve(
    viewer: Viewer,
    host: str,
    port: int,
    open_browser: bool,
    say: Callable[[str], Any],
) -> None:
    """Serve the page of a viewer until it is interrupted; port 0 is any free one.

    `say` is called with the address when the page is there. InputError of an address
    that is not this machine's, or a port that is taken.
    """
    server = App(viewer).server
    logging.getLogger("wslink").setLevel(logging.ERROR)
    server.controller.on_server_ready.add(
        lambda **_: say(f"http://{host}:{server.port}/  (Ctrl-C ends)")
    )
    try:
        server.start(
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


def _next(names: Sequence[str], name: str, forward: bool = True) -> str:
    return names[(names.index(name) + (1 if forward else -1)) % len(names)]
