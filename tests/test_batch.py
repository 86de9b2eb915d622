"""Many solves at once: in order, lazily, and ended together."""

import functools
import threading
import time
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
import pytest
from conftest import EMPTY, SOFT, STIFF, grains, sphere

from fftmech import (
    InputError,
    Load,
    March,
    Microstructure,
    Path,
    Step,
    homogenize,
    solve,
)
from fftmech.arrays.threads import run_together
from fftmech.simulations.batch import solve_many

LOAD = Load(strain={"xx": 1e-3})
TENSION = Load.uniaxial("zz", 1e-3)
ENDLESS = dict(solver="basic", tolerance=1e-300, max_iterations=10**5)
"""Options of a solve that takes long."""


@pytest.fixture(params=[1, 2, 3])
def jobs(request):
    return request.param


@pytest.fixture
def ends(monkeypatch):
    """How each solve of a batch ended, as a list that grows."""
    ends = []

    @functools.wraps(solve)
    def told(*case, **options):
        try:
            result = solve(*case, **options)
        except BaseException as error:
            ends.append(type(error))
            raise
        ends.append(result.status)
        return result

    monkeypatch.setattr("fftmech.simulations.batch.solve", told)
    return ends


def cases(count=5):
    """Bodies of several sizes, so that those on other threads end out of order."""
    for i in range(count):
        yield grains((3 + 2 * (-i % 4), 4, 5), seed=i), (LOAD, TENSION)[i % 2]


def working():
    """Names of the threads of batches that are at work or wait for some."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("fftmech-batch")]


def test_results_are_those_of_single_solves_in_the_order_of_the_cases(jobs):
    results = list(solve_many(cases(), jobs=jobs, scheme="hex8", tolerance=1e-8))
    singles = [solve(*case, scheme="hex8", tolerance=1e-8) for case in cases()]
    assert len(results) == len(singles)
    for result, single in zip(results, singles, strict=True):
        assert result.iterations == single.iterations
        np.testing.assert_array_equal(result.stress, single.stress)
        np.testing.assert_array_equal(result.displacement, single.displacement)
        assert result.certificate == single.certificate


def test_no_case_is_no_result(jobs):
    assert list(solve_many([], jobs=jobs)) == []


def test_only_a_few_cases_are_taken_in_advance(jobs):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield next(cases())

    results = solve_many(endless(), jobs=jobs)
    assert not taken
    for count in range(1, 6):
        assert next(results).converged
        assert len(taken) <= count + 2 * jobs
    results.close()
    assert not working()


def test_bad_case_reaches_the_caller_after_the_good_ones_before_it(jobs):
    bad = Microstructure(grains((3, 3, 3)).grid, np.zeros((3, 3, 3), int))
    results = solve_many([*cases(2), (bad, LOAD), *cases(3)], jobs=jobs)
    assert next(results).converged and next(results).converged
    with pytest.raises(InputError, match="without stiffness"):
        next(results)
    assert next(results, None) is None and not working()


def test_bad_case_ends_those_at_work_beside_it(ends):
    body = sphere(4, SOFT, STIFF)
    bad = Microstructure(body.grid, np.zeros((4, 4, 4), int))
    many = [(bad, LOAD), (body, LOAD), (body, LOAD), (body, LOAD)]
    with pytest.raises(InputError, match="without stiffness"):
        list(solve_many(many, jobs=2, **ENDLESS))
    assert ends[0] == InputError and set(ends[1:]) <= {CancelledError}
    assert not working()


def test_interrupt_while_cases_are_made_ends_those_at_work(ends):
    def made():
        yield from [(sphere(4, SOFT, STIFF), LOAD)] * 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(solve_many(made(), jobs=2, **ENDLESS))
    assert set(ends) <= {CancelledError} and not working()


@pytest.mark.parametrize("threads", [1, 2])
def test_interrupt_in_a_progress_callback_ends_a_homogenization(threads):
    calls = []

    def progress(load, count, residual):
        calls.append(load)
        if count == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        homogenize(
            sphere(4, SOFT, STIFF), threads=threads, progress=progress, **ENDLESS
        )
    assert len(calls) <= 3 * threads and not working()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(threads=2), "threads: a batch does not take it"),
        (dict(progress=print), "progress: a batch does not take it"),
        (dict(initial=None), "initial: a batch does not take it"),
        (dict(jobs=0), "jobs 0: expected a whole number of at least 1"),
        (dict(scheme="spectral"), "scheme 'spectral': expected one of"),
    ],
)
def test_options_that_no_batch_can_use_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        list(solve_many(cases(), **options))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("tolerence", "option tolerence: expected tolerance$"),
        ("shceme", "option shceme: expected scheme$"),
        ("xyz", "option xyz: expected one of scheme, .*max_iterations"),
    ],
)
def test_a_misspelt_option_is_refused_with_the_nearest_name(option, message):
    (body, load), *_ = cases(1)
    options: Any = {option: 1}
    for call in (
        lambda: homogenize(body, **options),
        lambda: March(body, Path((Step(load),)), **options),
        lambda: solve_many(cases(), **options),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_tasks_are_at_work_at_the_same_time_and_no_more_than_threads(jobs):
    barrier, running, most = threading.Barrier(jobs), [], []

    def task(check, number):
        running.append(number)
        most.append(len(running))
        barrier.wait(30)
        running.remove(number)
        return number

    tasks = [lambda check, number=n: task(check, number) for n in range(2 * jobs)]
    assert list(run_together(tasks, jobs)) == list(range(2 * jobs))
    assert max(most) <= jobs


def test_a_task_that_raises_ends_the_others_at_their_next_check():
    some, begun, ended = threading.Event(), [], []

    def endless(check):
        begun.append(1)
        some.set()
        try:
            for _ in range(10000):
                check()
                time.sleep(0.001)
        except CancelledError:
            ended.append(1)
            raise

    def fails(check):
        assert some.wait(30)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run_together([fails, *[endless] * 9], 2))
    assert ended == begun and len(begun) < 3  # those that waited never began
    assert not working()


@pytest.mark.parametrize("body", ["grains", "pore"])
def test_loads_on_several_threads_give_the_stiffness_of_one(body):
    body = grains((6, 5, 4)) if body == "grains" else sphere(8, SOFT, EMPTY)
    one, several = (
        homogenize(body, threads=threads, tolerance=1e-6) for threads in (1, 4)
    )
    assert one.converged and several.converged
    scale = abs(one.stiffness).max()
    np.testing.assert_allclose(several.stiffness, one.stiffness, atol=1e-9 * scale)
