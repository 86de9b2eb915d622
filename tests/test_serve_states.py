"""Work that ends ends for good, and frees its place once: jobs, workers, the queue."""

import asyncio
import gc
import os
import threading
import time
import weakref

import psutil
import pytest
from doomed_tasks import dies, sleeps, takes
from served import HDF5, until

from ecosurrogate.server.jobs import Jobs
from ecosurrogate.server.refusal import Refusal
from ecosurrogate.server.schemas import Asked
from ecosurrogate.server.workers import Workers
from fftmech.errors import InputError
from fftmech.microstructure import polycrystal


def run(check):
    asyncio.run(asyncio.wait_for(check, 30))


async def works(job):
    return {"voxels": 1}


async def fails(job):
    raise InputError("no body")


async def breaks(job):
    raise ZeroDivisionError


async def lasts(job):
    await asyncio.sleep(60)


ENDS = {
    "done": (works, "done"),
    "refused": (fails, "failed"),
    "a mistake": (breaks, "failed"),
    "too late": (lasts, "failed"),
    "cancelled": (lasts, "cancelled"),
    "cancelled before it began": (lasts, "cancelled"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_job_that_has_ended_stays_so_and_frees_its_place_once(tmp_path, end):
    work, state = ENDS[end]

    async def check():
        jobs = Jobs(tmp_path, most=2, seconds=0.05 if end == "too late" else 60)
        # more often than there are places
        for _ in range(3):
            job = jobs.begin("solve", work)
            if "began" not in end:
                await asyncio.sleep(0)
                job.run({"iteration": 1})
            if "cancelled" in end:
                jobs.cancel(job)
                assert job.state == state
            await asyncio.wait({job.task})
            ended, said = job.ended, job.as_dict()
            assert said["state"] == state and jobs.running == []
            # what its worker, its client and its clock may still have to say
            job.run({"iteration": 2})
            jobs.cancel(job)
            job.end("failed", InputError("late"))
            await asyncio.sleep(0)
            assert (job.ended, job.as_dict()) == (ended, said)
            assert jobs.running == [] and jobs.get(job.id) is job
        full = [jobs.begin("solve", lasts) for _ in range(2)]
        with pytest.raises(Refusal, match="queue is full"):
            jobs.begin("solve", lasts)
        for job in full:
            jobs.remove(job)
        await asyncio.wait({job.task for job in full})

    run(check())


def test_as_many_jobs_that_have_ended_are_kept_as_may_run_with_their_files(tmp_path):
    async def check():
        jobs = Jobs(tmp_path, most=3)
        begun = []
        for _ in range(5):
            begun.append(jobs.begin("predict", works))
            await asyncio.wait({begun[-1].task})
        await asyncio.sleep(0.01)
        kept = [job for job in begun if job.path.parent.exists()]
        assert kept == begun[-3:]
        for job in begun[:2]:
            with pytest.raises(Refusal, match="no such job"):
                jobs.get(job.id)

    run(check())


def test_files_of_a_job_that_is_removed_go_when_nobody_writes_them_any_more(tmp_path):
    written = []

    async def writes_at_last(job):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            written.append(job.path.write_bytes(b"last words"))

    async def check():
        jobs = Jobs(tmp_path)
        job = jobs.begin("solve", writes_at_last)
        await asyncio.sleep(0)
        jobs.remove(job)
        await asyncio.wait({job.task})
        await asyncio.sleep(0)
        assert job.state == "cancelled" and written == [10]
        assert not list(tmp_path.iterdir())

    run(check())


@pytest.fixture
def workers():
    workers = Workers(1, 2**28)
    yield workers
    workers.end()


def test_a_process_that_is_lost_late_or_greedy_is_refused_and_replaced(workers):
    async def check():
        assert await workers.call(takes, 2**20, seconds=60) == 2**20
        with pytest.raises(RuntimeError, match="MemoryError"):
            await workers.call(takes, 2**30, seconds=60)
        with pytest.raises(InputError, match="lost"):
            await workers.call(dies, seconds=60)
        assert await workers.call(takes, 2**20, seconds=60) == 2**20
        seen = []
        with pytest.raises(InputError, match="more than 0.3 s"):
            await workers.call(sleeps, seconds=0.3, report=seen.append)
        assert seen == [{"asleep": True}]
        assert await workers.call(takes, 2**20, seconds=60) == 2**20

    run(check())


def test_a_worker_is_free_again_once_and_only_when_its_process_has_left_it(workers):
    async def check():
        begun = asyncio.Event()
        asleep = asyncio.create_task(
            workers.call(sleeps, seconds=60, report=lambda _: begun.set())
        )
        given_up = asyncio.create_task(workers.call(takes, 1, seconds=60))
        waiting = asyncio.create_task(workers.call(takes, 2**20, seconds=60))
        await begun.wait()
        given_up.cancel()
        asleep.cancel()
        await asyncio.sleep(0)
        # while its process is being ended
        asleep.cancel()
        await asyncio.wait({asleep})
        assert asleep.cancelled()
        assert await waiting == 2**20 and given_up.cancelled()
        assert await workers.call(takes, 1, seconds=60) == 1
        assert workers._free.qsize() == 1

    run(check())


def test_workers_end_at_once_whatever_they_do():
    workers = Workers(1)
    (first,) = workers.start(sleeps)
    until(lambda: workers.all[0]._process)
    process = psutil.Process(workers.all[0]._process.pid)
    assert process.ppid() == os.getpid()
    started = time.monotonic()
    workers.end()
    assert first.done() and not process.is_running() and time.monotonic() - started < 5


def test_work_whose_body_is_read_when_the_server_stops_is_refused_not_lost(
    shared_server, served_folder, monkeypatch
):
    with shared_server.beside() as served:
        read = served.service.read

        def stopping(*given):
            served.service.stopping = True
            return read(*given)

        monkeypatch.setattr(served.service, "read", stopping)
        body = (served_folder / "micro.h5").read_bytes()
        status, said = served.json("POST", "/predict?wait=0", body, HDF5)
        assert status == 503 and said["error"] == "the server is stopping"


def test_a_prediction_that_is_given_up_leaves_the_queue_and_keeps_no_body(
    shared_server, monkeypatch
):
    service, go = shared_server.service, threading.Event()
    answers = service.predictor._answers
    monkeypatch.setattr(
        service.predictor, "_answers", lambda batch: go.wait(20) and answers(batch)
    )
    body, asked = polycrystal(8, 4), Asked(strain=["xx=1e-3"])

    async def check():
        first = service.predict(body, asked, False)
        while first.state == "queued":
            await asyncio.sleep(0.01)
        given_up = [polycrystal(4, 2, seed=k) for k in range(4)]
        alive = [weakref.ref(body) for body in given_up]
        while given_up:
            job = service.predict(given_up.pop(), asked, False)
            if len(given_up) % 2:
                # else it is removed before it has begun to wait
                await asyncio.sleep(0)
                assert len(service.predictor.waiting) == 1
            service.jobs.remove(job)
            await asyncio.wait({job.task})
            assert service.predictor.waiting == []
        del job
        gc.collect()
        assert [body() for body in alive] == [None] * 4
        go.set()
        await first.task
        assert first.state == "done"
        service.jobs.remove(first)

    asyncio.run_coroutine_threadsafe(check(), shared_server.loop).result(20)
