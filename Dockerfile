# The command line in a container:
#   docker build -t fftmech .
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" fftmech demo
# Compiled kernels are kept by adding -v fftmech-kernels:/kernels.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY fftmech fftmech
COPY ecosurrogate ecosurrogate
COPY cli cli
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY constraints.txt /tmp/
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --constraint /tmp/constraints.txt matplotlib \
    "fftmech[fast,formats] @ file://$(echo /wheels/fftmech-*.whl)"
# Whoever runs it may write here: with --user it is nobody that the image knows.
RUN useradd --uid 1000 --create-home fftmech && \
    install --directory --mode=1777 /kernels /work
ENV NUMBA_CACHE_DIR=/kernels MPLCONFIGDIR=/kernels/matplotlib
USER 1000
WORKDIR /work
ENTRYPOINT ["fftmech"]
CMD ["--help"]
