"""A model over HTTP: predictions, solves, jobs; bodies of strangers are read apart.

    gate.py         who may ask: address, token, rate, size and time of an upload
    upload.py       the body of a request becomes a file whose name is ours
    options.py      what is asked for, from the query and from JSON
    guard.py        the structure of an HDF5 file, before anything in it is decoded
    helper.py       processes beside the server, which may be lost
    tasks.py        what they do: read or make a body, solve
    generation.py   the bodies that are made
    assessment.py   how wrong a prediction is, and when the solver is as good
    predictor.py    the thread that owns the models, and its queue
    jobs.py         work under way, and its files
    job_fields.py   the fields in them, as the page draws them
    scratch.py      the folder of their files
    silence.py      connections on which nothing happens
    memory.py       the memory of freed arrays
    settings.py     how a server is to be
    service.py      all of these together
    app.py          routes, which openapi.py describes; those of the page: page.py
    description.py  what a model is, for clients
    serving.py      the server itself: its port, its signals

It needs the extra `serve`; nothing is imported before it is used.
"""
