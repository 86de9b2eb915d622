"""What the page looks like: trame's widgets, readable at 1280x800."""

from collections.abc import Sequence
from typing import Any

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html, vtk
from trame.widgets import vuetify3 as v3

from fftmech.viewer.picture import LOOKS
from fftmech.viewer.render_window import AXES
from fftmech.viewer.view import ENDS, MAPS, MODES

_SMALL = {"density": "compact", "hideDetails": True}
_SLIDER = _SMALL | {"thumbSize": 14, "trackSize": 3}
_DEFAULTS = {
    "VSelect": _SMALL,
    "VTextField": _SMALL,
    "VSlider": _SLIDER,
    "VRangeSlider": _SLIDER,
    "VCheckboxBtn": {"density": "compact"},
    "VBtn": {"size": "small"},
    "VBtnToggle": {
        "mandatory": True,
        "divided": True,
        "color": "primary",
        "density": "compact",
    },
}
"""Properties of Vuetify's components that have no others."""

_STYLE = """
html { overflow: hidden !important; }
.page { display: flex; height: 100vh; width: 100vw; background: #fff;
  font-size: 13px; color: #222; }
.side { overflow-y: auto; padding: 10px 14px; background: #f6f7f9; flex: none; }
.side .v-slider { margin-inline: 2px; }
.head { font-weight: 600; font-size: 12px; color: #44505c; margin: 10px 0 2px; }
.views { flex: 1; display: grid; min-width: 0; gap: 2px; background: #dde1e5; }
.view { display: flex; flex-direction: column; min-width: 0; min-height: 0;
  background: #fff; container-type: inline-size; }
.view.table { padding: 12px; overflow: auto; }
.title { text-align: center; font-size: 13px; padding: 8px 10px 2px; }
/* a box fits its height, and leaves at the sides what is much higher than wide */
.scene { flex: 1; min-height: 0; max-height: 94cqw; position: relative; }
.unit { position: absolute; left: 10px; bottom: 4px; font-size: 12px;
  color: #55616d; pointer-events: none; }
.bar { height: 86px; text-align: center; padding: 2px 8px 6px; }
.bar img { height: 100%; max-width: 100%; }
.row { display: flex; align-items: center; gap: 6px; }
.row .v-selection-control { flex: none; width: 30px; }
.row b { width: 14px; text-align: center; font-size: 14px; }
.row b.chosen { text-decoration: underline; text-underline-offset: 3px; }
.row .value { width: 34px; text-align: right; font-variant-numeric: tabular-nums; }
table.facts { border-collapse: collapse; width: 100%; font-size: 12.5px; }
table.facts { line-height: 1.3; }
table.facts th { text-align: left; padding: 0 4px; color: #55616d; }
table.facts td { padding: 1px 4px; vertical-align: top;
  border-bottom: 1px solid #e4e7ea; overflow-wrap: anywhere; }
table.facts td:first-child { color: #55616d; white-space: nowrap;
  width: 1%; }
#probed td { white-space: nowrap; }
/* names above two values that have no place beside them */
@container (width < 330px) {
  #runs tr { display: grid; grid-template-columns: 1fr 1fr; }
  #runs td:first-child { grid-column: 1 / -1; width: auto; border: 0; }
  #runs th:first-child { display: none; }
}
.v-btn { text-transform: none !important; }
.v-btn.narrow { min-width: 0 !important; }
.v-btn.component { padding: 0 7px; height: 28px !important; }
.v-tab.v-tab { padding: 0 6px; }
.keys { color: #55616d; font-size: 11.5px; line-height: 1.45; margin-top: 10px; }
.nine { display: grid; grid-template-columns: repeat(3, 1fr); width: 150px; }
.chart { width: 100%; margin-top: 8px; }
"""

# vtk.js has keys of its own, r s v w: these are others. A list that is closed, a switch
# and a slider keep the focus after a click, and leave these keys to the page.
_KEYS = """
window.addEventListener('keydown', (event) => {
  const at = event.target;
  const list = at.closest('.v-select');
  const text = at.tagName === 'INPUT' && !['checkbox', 'radio'].includes(at.type);
  if (list ? list.classList.contains('v-select--active-menu') : text) {
    if (text && !list && ['Enter', 'Escape'].includes(event.key)) at.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ['ArrowLeft', 'ArrowRight'].includes(event.key);
  if (arrow && ['slider', 'tab'].includes(at.getAttribute('role'))) return;
  if (!arrow && !'xyzXYZHcCfFm'.includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  window.trame.trigger('key', [event.key]);
}, true);
"""

_HELP = (
    "Red, green and blue are the edges along x, y and z from the corner of the box. "
    "Keys: x y z choose a slice, ← → move it; X Y Z look along an axis, H from a "
    "corner; f field, c component (F C back), m mode. A click on a voxel probes it."
)


def build_page(app: Any) -> list[Any]:
    """Lay out the page of an `App`; return trame's views, one for each window."""
    count = len(app.windows)
    with VAppLayout(app.server, vuetify_config={"defaults": _DEFAULTS}) as layout:
        client.Style(_STYLE)
        client.Script(_KEYS)
        with html.Div(classes="page"):
            with html.Div(classes="side", style="width: 262px"):
                _build_controls(app)
            tracks = "1fr" if count == 1 else "1fr 1fr"
            with html.Div(classes="views", style=f"grid-template: {tracks} / {tracks}"):
                views = [_build_view(app, number) for number in range(count)]
                if count > 1:
                    with html.Div(classes="view table"):
                        _build_table("runs", ("", "A", "B"))
            with html.Div(classes="side", style="width: 318px"):
                _build_findings(alone=count == 1)
    layout.flush_content()
    return views


def _build_view(app: Any, number: int) -> Any:
    """One body with its title and its colour bar; bodies turn together."""
    count = len(app.windows)
    unit = app.viewer.files[0].body.units.get("length", "")
    linked = "".join(
        f"trame.refs.view{other}.setCamera(trame.refs.view{number}.getCamera());"
        for other in range(count)
        if other != number
    )
    with html.Div(classes="view"):
        html.Div(f"{{{{ titles[{number}] }}}}", classes="title")
        with html.Div(classes="scene"):
            events = ["Animation", "EndAnimation", "LeftButtonPress"]
            view = vtk.VtkLocalView(
                app.windows[number].window,
                ref=f"view{number}",
                interactor_events=("moved", events),
                picking_modes=("picked", ["click"]),
                Animation=linked,
                EndAnimation=linked,
                LeftButtonPress="trame.pressed = $event.position",
                click=(app.pick, f"[{number}, $event, trame.pressed]"),
            )
            if unit and count == 1:
                html.Div(f"unit of length: {unit}", classes="unit")
        with html.Div(classes="bar"):
            html.Img(v_if=f"bars[{number}]", src=(f"bars[{number}]",), alt="colour bar")
    return view


def _build_findings(alone: bool) -> None:
    """The right column: the probed voxel, the charts, and of one file its run."""
    tabs = ("probe", "histogram", "spectrum")
    with v3.VTabs(v_model="tab", density="compact", grow=True, color="primary"):
        for name in tabs:
            v3.VTab(name, value=name, classes="narrow")
    with html.Div(v_if="tab === 'probe'", classes="mt-2"):
        with html.Div(classes="row mb-2"):
            html.Span("voxel")
            for name in "xyz":
                v3.VTextField(v_model=f"probe_{name}", label=name, type="number", min=0)
        _build_table("probed", () if alone else ("", "A", "B", ""))
    for name in tabs[1:]:
        with html.Div(v_if=f"tab === '{name}'"):
            html.Img(v_if=name, src=(name,), classes="chart", alt=name)
            text = "Phase ids are names: choose another field."
            html.Div(text, v_if=f"!{name}", classes="mt-4")
    if alone:
        html.Div("Run", classes="head mt-4")
        _build_table("runs")


def _build_table(rows: str, heads: Sequence[str] = ()) -> None:
    """A table of the page's variable `rows`."""
    with html.Table(classes="facts", id=rows):
        if heads:
            with html.Thead(), html.Tr():
                for head in heads:
                    html.Th(head)
        with html.Tbody(), html.Tr(v_for=f"(row, n) in {rows}", key="n"):
            html.Td("{{ cell }}", v_for="(cell, m) in row", key="m")


def _build_controls(app: Any) -> None:
    """The left column: what chooses the view; buttons call methods of the app."""
    viewer = app.viewer
    v3.VSelect(v_model="field", items=("fields",), label="Field")
    with v3.VBtnToggle(
        v_if="components.length",
        v_model="component",
        classes=("`mt-2 ${components.length === 9 ? 'nine' : ''}`",),
        style="height: auto",
    ):
        v3.VBtn(
            "{{ name }}",
            v_for="name in components",
            key="name",
            value=("name",),
            classes="narrow component",
        )
    _head("Show")
    _build_toggle("mode", dict.fromkeys(MODES, ""))
    with html.Div(v_if="mode !== 'body'"):
        _head("{{ mode === 'corner' ? 'Corner' : 'Slices' }} (voxel)")
        for axis in range(3):
            _build_slice(axis, viewer.files[0].body.grid.shape[axis])
    times = viewer.files[0].times
    if times:
        _head("Time {{ time_text }}")
        _build_slider("time", "time", len(times) - 1, id="time")
    _head("Threshold: {{ keep_text }}")
    _build_slider("keep", "threshold", 100, v3.VRangeSlider, strict=True)
    if "displacement" in viewer.fields:
        _head("Deformed shape")
        with html.Div(classes="row"):
            v3.VTextField(v_model="warp", label="displacement times")
            v3.VBtn("visible", click=app.deform, variant="tonal")
    # phases have names, and no scale
    with html.Div(v_if="field !== 'phase'"):
        _head("Colours")
        v3.VSelect(v_model="colors", items=("maps", list(MAPS)), label="Map")
        _build_toggle("ends", ENDS, "mt-2")
        with html.Div(v_if="ends === 'own'", classes="row mt-2"):
            v3.VTextField(v_model="low", label="from")
            v3.VTextField(v_model="high", label="to")
    _head("Look from")
    with html.Div(classes="row"):
        for name in LOOKS:
            click = (app.look, f"['{name}']")
            v3.VBtn(name, click=click, variant="tonal", classes="narrow")
    v3.VBtn(
        "Save a picture",
        click="utils.download('fftmech.png', "
        "trigger('picture', [trame.refs.view0.getCamera()]), 'image/png')",
        block=True,
        color="primary",
        classes="mt-4",
        id="save-picture",
    )
    html.Div(_HELP, classes="keys")


def _head(text: str) -> None:
    html.Div(text, classes="head")


def _build_toggle(variable: str, titles: dict[str, str], classes: str = "") -> None:
    """Buttons of which one is chosen: values of a variable and their tooltips."""
    with v3.VBtnToggle(v_model=variable, classes=classes, style="height: 30px"):
        for value, title in titles.items():
            v3.VBtn(value, value=value, title=title)


def _build_slider(
    variable: str, label: str, last: int, kind: Any = v3.VSlider, **more: Any
) -> None:
    kind(
        v_model=variable,
        min=0,
        max=max(last, 1),
        step=1,
        raw_attrs=[f'aria-label="{label}"'],
        **more,
    )


def _build_slice(axis: int, count: int) -> None:
    """A switch and a slider for the plane across an axis."""
    name = "xyz"[axis]
    with html.Div(classes="row"):
        v3.VCheckboxBtn(
            v_if="mode === 'slices'",
            v_model="planes",
            value=name,
            raw_attrs=[f'aria-label="show {name}"'],
        )
        html.B(
            name,
            style=f"color: rgb{tuple(int(255 * c) for c in AXES[axis])}",
            classes=(f"axis === '{name}' ? 'chosen' : ''",),
        )
        more = {"disabled": count == 1, "id": f"slice-{name}"}
        _build_slider(f"slice_{name}", f"slice {name}", count - 1, **more)
        html.Span(f"{{{{ slice_{name} }}}}", classes="value")
