"""A polycrystal solved and drawn through the Python API, in twelve lines.

python examples/python_api.py [picture.png]
"""

import sys

from fftmech import Load, figures, solve, write_result
from fftmech.materials import cubic
from fftmech.microstructure import polycrystal

copper = cubic(C11=168.4, C12=121.4, C44=75.4)
body = polycrystal(32, grains=12, stiffness=copper)
body = body.with_changes(units={"stress": "GPa"})
result = solve(body, Load.uniaxial("zz", 1e-3))
print(f"{result.status} in {result.iterations} iterations")
print(f"Young's modulus along z: {result.mean_stress[2] / 1e-3:.1f} GPa")
picture = sys.argv[1] if len(sys.argv) > 1 else "python_api.png"
figures.save_figure(figures.slices_figure(result, "stress", ["zz"]), picture)
write_result(picture.removesuffix(".png") + ".vtkhdf", result)
