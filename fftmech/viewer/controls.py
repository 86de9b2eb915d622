"""The left column of the page: what is shown, and how."""

from typing import Any

from fftmech.viewer.exhibit import Exhibit
from fftmech.viewer.stage import AXES, LOOKS
from fftmech.viewer.state import ENDS, MAPS, MODES, ROBUST_TEXT

_HELP = (
    "Red, green and blue are the edges along x, y and z from the corner of the box. "
    "Keys: x y z choose a slice, ← → move it; X Y Z look along an axis, H from a "
    "corner; f field, c component (F C back), m mode. A click on a voxel probes it."
)


def build_controls(server: Any, exhibit: Exhibit) -> None:
    """Lay out what chooses the view."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    small: dict[str, Any] = {"density": "compact", "hide_details": True}
    v3.VSelect(v_model="field", items=("fields",), label="Field", **small)
    with v3.VBtnToggle(
        v_if="components.length",
        v_model="component",
        mandatory=True,
        density="compact",
        divided=True,
        classes=("`mt-2 ${components.length === 9 ? 'nine' : ''}`",),
        style="height: auto",
        color="primary",
    ):
        v3.VBtn(
            "{{ name }}",
            v_for="name in components",
            key="name",
            value=("name",),
            size="small",
            style="min-width: 0; padding: 0 7px; height: 28px; text-transform: none",
        )
    html.Div("Show", classes="head")
    with v3.VBtnToggle(
        v_model="mode",
        mandatory=True,
        divided=True,
        style="height: 30px",
        **{"color": "primary", "density": "compact"},
    ):
        for mode in MODES:
            v3.VBtn(mode, value=mode, size="small", style="text-transform: none")
    with html.Div(v_if="mode !== 'body'"):
        html.Div(
            "{{ mode === 'corner' ? 'Corner' : 'Slices' }} (voxel)", classes="head"
        )
        shape = exhibit.subjects[0].body.grid.shape
        for name, n, color in zip("xyz", shape, AXES, strict=True):
            _slice(name, n, color, small)
    if exhibit.subjects[0].times:
        html.Div("Time {{ time_text }}", classes="head")
        v3.VSlider(
            v_model="time",
            min=0,
            max=len(exhibit.subjects[0].times) - 1,
            step=1,
            thumb_size=14,
            track_size=3,
            raw_attrs=['aria-label="time"'],
            id="time",
            **small,
        )
    html.Div("Threshold: {{ keep_text }}", classes="head")
    v3.VRangeSlider(
        v_model="keep",
        min=0,
        max=100,
        step=1,
        thumb_size=14,
        track_size=3,
        strict=True,
        raw_attrs=['aria-label="threshold"'],
        **small,
    )
    if "displacement" in exhibit.fields:
        html.Div("Deformed shape", classes="head")
        with html.Div(classes="row"):
            v3.VTextField(v_model="warp", label="displacement times", **small)
            v3.VBtn(
                "visible",
                click=server.controller.deform,
                size="small",
                variant="tonal",
                style="text-transform: none",
            )
    _colors(small)
    html.Div("Look from", classes="head")
    with html.Div(classes="row"):
        for name in LOOKS:
            v3.VBtn(
                name,
                click=(server.controller.look, f"['{name}']"),
                size="small",
                variant="tonal",
                style="text-transform: none; min-width: 0",
            )
    v3.VBtn(
        "Save a picture",
        click="utils.download('fftmech.png', "
        "trigger('picture', [trame.refs.view0.getCamera()]), 'image/png')",
        block=True,
        size="small",
        color="primary",
        classes="mt-4",
        id="save-picture",
        style="text-transform: none",
    )
    html.Div(_HELP, classes="keys")


def _slice(
    name: str, count: int, color: tuple[float, float, float], small: dict[str, Any]
) -> None:
    """A switch and a slider for the plane across an axis."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    with html.Div(classes="row"):
        v3.VCheckboxBtn(
            v_if="mode === 'slices'",
            v_model="planes",
            value=name,
            density="compact",
            raw_attrs=[f'aria-label="show {name}"'],
        )
        html.B(
            name,
            style=f"color: rgb{tuple(int(255 * c) for c in color)}",
            classes=(f"axis === '{name}' ? 'chosen' : ''",),
        )
        v3.VSlider(
            v_model=f"slice_{name}",
            min=0,
            max=max(count - 1, 1),
            step=1,
            disabled=count == 1,
            thumb_size=14,
            track_size=3,
            raw_attrs=[f'aria-label="slice {name}"'],
            id=f"slice-{name}",
            **small,
        )
        html.Span(f"{{{{ slice_{name} }}}}", classes="value")


def _colors(small: dict[str, Any]) -> None:
    """Colour map and ends of its scale, which phases do not have."""
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    with html.Div(v_if="field !== 'phase'"):
        html.Div("Colours", classes="head")
        v3.VSelect(v_model="colors", items=("maps", list(MAPS)), label="Map", **small)
        with v3.VBtnToggle(
            v_model="ends",
            mandatory=True,
            divided=True,
            classes="mt-2",
            style="height: 30px",
            color="primary",
            density="compact",
        ):
            for end in ENDS:
                v3.VBtn(
                    end,
                    value=end,
                    size="small",
                    style="text-transform: none",
                    title=ROBUST_TEXT if end == "robust" else "",
                )
        with html.Div(v_if="ends === 'own'", classes="row mt-2"):
            v3.VTextField(v_model="low", label="from", **small)
            v3.VTextField(v_model="high", label="to", **small)
