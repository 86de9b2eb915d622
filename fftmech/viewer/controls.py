"""The left column of the page: what is shown, and how."""

from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from fftmech.viewer.picture import LOOKS
from fftmech.viewer.render_window import AXES
from fftmech.viewer.view import ENDS, MAPS, MODES
from fftmech.viewer.viewer import Viewer

_HELP = (
    "Red, green and blue are the edges along x, y and z from the corner of the box. "
    "Keys: x y z choose a slice, ← → move it; X Y Z look along an axis, H from a "
    "corner; f field, c component (F C back), m mode. A click on a voxel probes it."
)


def build_controls(app: Any, viewer: Viewer) -> None:
    """Lay out what chooses the view; buttons call methods of the app."""
    v3.VSelect(v_model="field", items=("fields",), label="Field")
    _build_components()
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
    _build_colors()
    _head("Look from")
    with html.Div(classes="row"):
        for name in LOOKS:
            v3.VBtn(
                name,
                click=(app.look, f"['{name}']"),
                variant="tonal",
                classes="narrow",
            )
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


def _build_components() -> None:
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
        variable, label = f"slice_{name}", f"slice {name}"
        more = {"disabled": count == 1, "id": f"slice-{name}"}
        _build_slider(variable, label, count - 1, **more)
        html.Span(f"{{{{ slice_{name} }}}}", classes="value")


def _build_colors() -> None:
    """Colour map and ends of its scale, which phases do not have."""
    with html.Div(v_if="field !== 'phase'"):
        _head("Colours")
        v3.VSelect(v_model="colors", items=("maps", list(MAPS)), label="Map")
        _build_toggle("ends", ENDS, "mt-2")
        with html.Div(v_if="ends === 'own'", classes="row mt-2"):
            v3.VTextField(v_model="low", label="from")
            v3.VTextField(v_model="high", label="to")
