"""A model over HTTP: predictions, solves, jobs; bodies of strangers are read apart.

A request passes `request_limits`, comes typed by `schemas` to a route in `app`, and its
body by `upload` to a file. `service` has the rest: `predictor`, the thread with the
models; `workers`, processes that may be lost, with their `worker_tasks`, `hdf5_check`
and `prediction_errors`; `jobs`, work under way. `serving` is the server on its port.
It needs the extra `serve`; nothing is imported before it is used.
"""
