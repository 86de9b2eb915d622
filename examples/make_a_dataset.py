"""Make a dataset of 16 pores, read it, and draw it.

    python examples/make_a_dataset.py [picture.png [folder]]

Each sample is a cube of Ti-6Al-4V with one pore, as laser powder-bed fusion leaves
them, drawn at 64^3 voxels and solved at 32^3 under tension along z; the two for the
test are solved at 64^3 too. A second run with the same folder makes nothing again.
"""

import sys
import tempfile

from fftmech.datasets.draft import new_card
from fftmech.datasets.figures import contact_sheet
from fftmech.datasets.make import make
from fftmech.datasets.pores import PoresRecipe
from fftmech.figures import save_figure
from fftmech.io import Dataset


def make_and_draw(picture: str, folder: str) -> None:
    """Make the dataset in a folder, print what is in it, and draw it."""
    card = new_card(PoresRecipe(), count=16, levels=(64, 32), parts=(12, 2, 2))
    outcome = make(folder, card)
    print(
        f"{outcome.done} samples, {outcome.bytes / 1e6:.0f} MB; {outcome.made} of them "
        f"made now, in {outcome.seconds:.1f} s"
    )
    data = Dataset(folder, fields=("stress",))
    for sample in data:
        for res, level in sample.levels.items():
            if level.stress is None or level.mean_stress is None:
                continue
            # one load; zz is the third component
            peak = level.stress[0, 2].max() / level.mean_stress[0, 2]
            print(
                f"{sample.index:2} {sample.split:5} {sample.statistics['class']:14} "
                f"{sample.statistics['fraction']:.2%} pore, {res}^3: "
                f"{level.iterations[0]} iterations, largest stress zz {peak:.2f} times "
                "the mean"
            )
    save_figure(contact_sheet(data), picture, dpi=110)


# the processes that make samples import this file
if __name__ == "__main__":
    picture = sys.argv[1] if len(sys.argv) > 1 else "make_a_dataset.png"
    if len(sys.argv) > 2:
        make_and_draw(picture, sys.argv[2])
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_and_draw(picture, folder)
