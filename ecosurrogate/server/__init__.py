"""A model over HTTP: predictions, solves, jobs; bodies of strangers are read apart.

    gate.py         who may ask: address, token, rate, size and time of an upload
    upload.py       the body of a request becomes a file whose name is ours
    options.py      what is asked for, from the query and from JSON
    guard.py        the structure of an HDF5 file, before anything in it is decoded
    helper.py       processes beside the server, which may be lost
    tasks.py        what they do: read a body, solve
    predictor.py    the thread that owns the models, and its queue
    jobs.py         work under way, and its files
    scratch.py      the folder of their files
    service.py      all of these together
    app.py          routes, which openapi.py describes
    description.py  what a model is, for clients
    serving.py      the server itself: its port, its signals

It needs the extra `serve`; nothing is imported before it is used.
"""
