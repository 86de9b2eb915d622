"""A polycrystal pulled by NASA's materialite, in a process of its own.

    OTHER/bin/python benchmarks/peer_materialite.py IN.npz OUT.npz

Of what verification.py writes: rotation of each voxel, cubic constants and those of the
slip law, load and increments; to what it reads: mean stress of each increment, seconds.
"""

import sys
import time

import numpy as np
from materialite import Material, Order4SymmetricTensor, Orientation, SlipSystem
from materialite.models.small_strain_fft import (
    ElasticViscoplastic,
    LoadSchedule,
    SmallStrainFFT,
    voce,
)

given = np.load(sys.argv[1])
rotation = given["rotation"]  # (x, y, z, 3, 3), v_sample = R v_crystal
tau0, tau1, theta0, theta1, rate0, exponent = map(float, given["slip"])
end, increments = float(given["end"]), int(given["increments"])
shape = list(rotation.shape[:3])

crystal = ElasticViscoplastic(
    stiffness=Order4SymmetricTensor.from_cubic_constants(*map(float, given["cubic"])),
    slip_systems=SlipSystem.octahedral(),
    reference_slip_rate=rate0,
    rate_exponent=exponent,
    slip_resistance=tau0,
    hardening_function=voce,
    hardening_properties={"tau_1": tau1, "theta_0": theta0, "theta_1": theta1},
)
model = SmallStrainFFT(
    load_schedule=LoadSchedule.from_constant_uniaxial_strain_rate(direction="z"),
    end_time=end,
    initial_time_increment=end / increments,
    constitutive_model=crystal,
)
frames = Orientation.from_rotation_matrix(rotation.reshape(-1, 3, 3), "p")
body = Material(dimensions=shape).create_fields({"orientation": frames})
started = time.perf_counter()
done = model(
    body,
    G_type="rotated",
    global_tolerance=1e-7,
    linear_solver_tolerance=1e-7,
    output_times=np.linspace(0, end, increments + 1)[1:],
)
seconds = time.perf_counter() - started
stress = done.extract("stress").mean("p").cartesian
np.savez(sys.argv[2], stress=np.asarray(stress), seconds=seconds)
