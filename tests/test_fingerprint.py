"""Fingerprints are equal for one body however it lies, and for no other."""

import numpy as np
import pytest
from degenerate_bodies import POROUS, SOLID

from ecosurrogate.data.symmetry import SYMMETRIES
from fftmech import Microstructure
from fftmech.datasets.composites import CompositesRecipe
from fftmech.datasets.pores import PoresRecipe
from fftmech.discretization.grid import Grid
from fftmech.materials.elastic import isotropic
from fftmech.microstructure import polycrystal
from fftmech.microstructure.fingerprint import fingerprint

GRAINS = polycrystal(9, 6, seed=1)
BODIES = {"grains": GRAINS, "pores": PoresRecipe().draw(0, 0, 16).body}


def shifted(body, *by):
    return body.with_changes(phase=np.roll(body.phase, by, (0, 1, 2)))


@pytest.mark.parametrize("name", BODIES)
def test_no_symmetry_of_the_cube_and_no_shift_changes_a_fingerprint(name):
    body = BODIES[name]
    moved = [shifted(g.body(body), k, 1, 2 * k) for k, g in enumerate(SYMMETRIES)]
    assert {fingerprint(b) for b in moved} == {fingerprint(body)}


@pytest.mark.parametrize("name", BODIES)
def test_numbers_of_phases_units_and_rounding_do_not_change_it(name, rng):
    body = BODIES[name]
    order = rng.permutation(len(body.stiffness) + 2)[: len(body.stiffness)]
    table = np.full((len(body.stiffness) + 2, 6, 6), np.nan)
    # MPa instead of GPa, and other bits at the end
    table[order] = 1000 * body.stiffness * (1 + 1e-12)
    other = Microstructure(body.grid, order[body.phase], table)
    assert fingerprint(other) == fingerprint(body)


def test_two_phases_of_one_stiffness_are_one():
    phase = BODIES["pores"].phase.copy()
    table = BODIES["pores"].stiffness
    half = phase.copy()
    half[:, :8][half[:, :8] == 0] = 2
    body = Microstructure(Grid(phase.shape), half, table[[0, 1, 0]])
    assert fingerprint(body) == fingerprint(BODIES["pores"])


def test_one_voxel_a_stiffness_or_crystals_that_are_turned_alone_change_it():
    phase = GRAINS.phase.copy()
    phase[0, 0, 0] = (phase[0, 0, 0] + 1) % 6
    stiffer = GRAINS.stiffness.copy()
    stiffer[2] *= 1.001
    turned = (g.stiffness(GRAINS.stiffness) for g in SYMMETRIES[:8:4])
    others = [
        GRAINS.with_changes(phase=phase),
        GRAINS.with_changes(stiffness=stiffer),
        *(GRAINS.with_changes(stiffness=C) for C in turned),
        GRAINS.with_changes(stiffness=GRAINS.stiffness[[1, 0, 2, 3, 4, 5]]),
    ]
    # the first symmetry is the identity: that one is the body itself
    assert len({fingerprint(b) for b in (GRAINS, *others)}) == len(others)


def test_soft_phases_have_as_many_digits_as_stiff_ones():
    phase = np.zeros((4, 4, 4), int)
    phase[:2] = 1
    C = isotropic(E=1.0, nu=0.3)
    found = {
        fingerprint(Microstructure(Grid((4, 4, 4)), phase, np.stack([C, k * C])))
        for k in (0, 1e-9, 1.001e-9, 1e9)
    }
    assert len(found) == 3  # a billion times as stiff is the first one as soft


@pytest.mark.parametrize("body", [*SOLID.values(), *POROUS.values()])
def test_degenerate_bodies_have_one(body):
    assert fingerprint(shifted(body, 1, 0, 0)) == fingerprint(body)


@pytest.mark.parametrize("recipe", [PoresRecipe(), CompositesRecipe()])
def test_bodies_of_a_recipe_are_all_different(recipe):
    found = [fingerprint(recipe.draw(0, index, 16).body) for index in range(8)]
    assert len({*found}) == 8


def test_faces_allow_symmetries_and_shifts_along_periodic_axes_alone():
    faces = (False, True, True)
    known = fingerprint(GRAINS, faces)
    assert known != fingerprint(GRAINS)
    assert fingerprint(shifted(GRAINS, 0, 2, 3), faces) == known
    assert fingerprint(shifted(GRAINS, 1, 0, 0), faces) != known
    closed = (False, False, False)
    moved = {fingerprint(g.body(GRAINS), closed) for g in SYMMETRIES[::7]}
    assert moved == {fingerprint(GRAINS, closed)} != {known}
