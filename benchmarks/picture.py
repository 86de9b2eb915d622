"""The picture of roofline.py: an iteration's time by pass, and the roofline."""

import math
from pathlib import Path

import numpy as np

COLORS = {
    "operator": "tab:blue",
    "residual, planes": "tab:orange",
    "rows, Green": "tab:green",
    "planes, update": "tab:red",
    "operator of hex8": "tab:purple",
    "iteration": "black",
}

INTENSITY = (0.5, 50)
"""Range of flop by byte."""


def draw(rows: list[dict], roofs: dict[str, float], path: str | Path) -> None:
    """Write the picture.

    Parameters
    ----------
    rows
        Figures of each pass and grid, as `roofline.measure` returns them.
    roofs
        "GB/s", and GFLOP/s of "float32" and "float64".
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11.5, 5), width_ratios=(2, 3), layout="constrained"
    )
    _bars(left, rows)
    _roofs(right, roofs)
    _points(right, rows)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    # the slope on paper is known once everything has its place
    figure.canvas.draw()
    _name_memory(right, roofs["GB/s"])
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _bars(axes, rows: list[dict]) -> None:
    sizes = list(dict.fromkeys(row["n"] for row in rows))
    for place, n in enumerate(sizes):
        own = {row["pass"]: row["ms"] for row in rows if row["n"] == n}
        del own["operator of hex8"]
        whole, base = own.pop("iteration"), 0.0
        own["other"] = max(0.0, whole - sum(own.values()))
        for name, ms in own.items():
            height = 1e6 * ms / n**3
            color = COLORS.get(name, "0.8")
            axes.bar(place, height, 0.75, base, color=color, alpha=0.75)
            if name != "other":
                text = f"{name}: {ms:.3g}"
                middle = base + height / 2
                axes.text(place, middle, text, ha="center", va="center", size=9)
            base += height
        axes.text(place, 1.01 * base, f"{whole:.3g} ms", ha="center", va="bottom")
    axes.set_xticks(range(len(sizes)), [f"${n}^3$ voxels" for n in sizes])
    axes.set_ylabel("time of an iteration by voxel (ns); labels: ms")


def _roofs(axes, roofs: dict[str, float]) -> None:
    x = np.geomspace(*INTENSITY, 200)
    for precision, style in (("float32", "-"), ("float64", "--")):
        top = roofs[precision]
        axes.plot(x, np.minimum(top, roofs["GB/s"] * x), style, color="0.4", lw=1.5)
        text = f"{precision}, {top:.0f} GFLOP/s"
        axes.text(INTENSITY[1], 1.05 * top, text, ha="right", va="bottom", size=9)
    axes.set(xscale="log", yscale="log", xlim=INTENSITY)
    axes.set_ylim(8, 3 * roofs["float32"])
    axes.set(xlabel="flop by byte that must move", ylabel="GFLOP/s")
    ticks = [0.5, 1, 2, 5, 10, 20, 50]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ticks = [t for t in (10, 20, 50, 100, 200, 500, 1000) if t < axes.get_ylim()[1]]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(color="0.93")
    axes.set_axisbelow(True)


def _name_memory(axes, bandwidth: float) -> None:
    start = np.array([0.55, 0.55 * bandwidth])
    a, b = axes.transData.transform([start, 2 * start])
    axes.text(
        start[0],
        1.1 * start[1],
        f"memory, {bandwidth:.0f} GB/s",
        rotation=math.degrees(math.atan2(b[1] - a[1], b[0] - a[0])),
        rotation_mode="anchor",
        size=9,
    )


def _points(axes, rows: list[dict]) -> None:
    sizes = list(dict.fromkeys(row["n"] for row in rows))
    for row in rows:
        first, color = row["n"] == sizes[0], COLORS[row["pass"]]
        face = color if first else "white"
        x, y = row["flops"] / row["bytes"], row["GFLOP/s"]
        axes.plot(x, y, "o", mec=color, mfc=face, ms=8, mew=1.8, zorder=3 - first)
    marks = [
        axes.plot([], [], "o", color=color, ms=8, label=name)[0]
        for name, color in COLORS.items()
    ]
    # above the memory's roof, where no point can be
    axes.add_artist(axes.legend(handles=marks, loc="upper left", frameon=False))
    marks = [
        axes.plot([], [], "o", mec="black", mfc=face, ms=8, label=f"${n}^3$ voxels")[0]
        for n, face in zip(sizes, ("black", "white"), strict=False)
    ]
    axes.legend(handles=marks, loc="lower right", frameon=False)
