# make demo   a polycrystal: generated, solved, drawn, in demo/
# make demo-eco   a surrogate: a pretrained one, then data and training, in demo/
# make demo-serve   that surrogate behind a page, at http://127.0.0.1:8000
# make test   the tests, on an installed copy of the package
# make lint   format, style, types, and which package imports which
# make slow   tests that take long: large bodies, and more kills of processes
# make gpu    what a GPU makes of this, in 8 minutes: gpu.json (docs/gpu.md)
# make docs   the documentation as a site: site/index.html
# make browser   the tests of the pages in Chromium, which has to be there

# the first Python on the path that is new enough, unless PYTHON is given
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,\
	$(shell $(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $(python))))

BIN := .venv/bin
SOURCES := $(shell find fftmech ecosurrogate cli -type f -not -name '*.pyc')
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The folder of compiled kernels outlives an installation, and is another one whenever a
# source changes that they may be compiled from: Numba sees the change of one file only.
KERNELS := $(shell cat $$(find fftmech/kernels fftmech/materials fftmech/discretization \
	fftmech/tensors fftmech/arrays -name '*.py' | LC_ALL=C sort) | cksum | cut -d' ' -f1)

# test processes share the processors: one thread each
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 DUCC0_NUM_THREADS=1 \
	NUMBA_CACHE_DIR=$(CURDIR)/.venv/kernels-$(KERNELS) $(BIN)/pytest
WORKERS := -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo demo-eco demo-serve test lint docs slow gpu browser clean

demo: .venv/demo
	$(BIN)/fftmech demo demo --force

demo-eco: .venv/eco
	@echo "A pretrained network predicts a polycrystal and says how wrong it is, without"
	@echo "solving. Then another one learns from 32 solved polycrystals, is measured on"
	@echo "others, and the last picture says whether it is faster than the solver."
	@mkdir -p demo
	$(BIN)/ecosr models
	$(BIN)/fftmech generate polycrystal --res 32 --grains 24 --seed 99 \
		-o demo/unseen.h5 --force
	$(BIN)/ecosr predict polycrystal-iterated demo/unseen.h5 --uniaxial xx=1e-3 \
		-o demo/pretrained.vtkhdf --force
	$(BIN)/fftmech dataset polycrystal -o demo/grains --count 40 --res 32 --low-res 32 \
		--splits 32,4,4
	$(BIN)/ecosr fit demo/grains -o demo/run --preset smoke --force
	$(BIN)/ecosr evaluate demo/run demo/grains --baseline cg:3 --baseline cg:6 \
		-o demo/run/evaluation --force
	$(BIN)/ecosr predict demo/run demo/unseen.h5 -o demo/prediction.vtkhdf --force
	$(BIN)/ecosr compare demo/run demo/unseen.h5 -o demo/comparison --force
	@echo
	@echo "Training: demo/run/curves.png"
	@echo "Errors on bodies it has not seen: demo/run/evaluation/*.png"
	@echo "Surrogate or solver, error against time: demo/comparison/comparison.png"
	@echo "All fields, for ParaView: demo/pretrained.vtkhdf, demo/prediction.vtkhdf"

demo-serve: .venv/serve
	@test -e demo/run/evaluation || $(MAKE) demo-eco
	$(BIN)/ecosr serve demo/run

test: .venv/test
	$(PYTEST) $(WORKERS) -m "not slow and not browser"

lint: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python docs/architecture.py --check
	$(BIN)/python docs/formats.py --check

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

slow: .venv/test
	$(PYTEST) $(WORKERS) -m slow

gpu: .venv/gpu
	$(BIN)/python benchmarks/gpu.py --json gpu.json

browser: .venv/browser
	$(PYTEST) -m browser

clean:
	rm -rf .venv build demo site *.egg-info

# Installed, not editable: tests see what users get, and pyright finds fftmech_cli,
# which the import hook of an editable install hides from it. build/ is emptied so that
# a module that was deleted is not installed again.
.venv/demo: .venv/demo-needs $(SOURCES)
	@rm -rf build
	$(PIP) --no-deps --force-reinstall .
	@touch $@

.venv/test: .venv/test-needs .venv/demo
	@touch $@

.venv/eco: .venv/eco-needs .venv/demo
	@touch $@

.venv/serve: .venv/serve-needs .venv/demo
	@touch $@

.venv/gpu: .venv/gpu-needs .venv/demo
	@touch $@

.venv/docs: .venv/docs-needs .venv/demo
	@touch $@

.venv/browser: .venv/browser-needs .venv/test
	@touch $@

.venv/eco-needs: .venv/demo-needs
	$(PIP) --constraint constraints.txt ".[fast,viz,surrogate]"
	@touch $@

.venv/demo-needs: .venv/python pyproject.toml constraints.txt
	$(PIP) --constraint constraints.txt ".[fast,viz]"
	@touch $@

.venv/serve-needs: .venv/eco-needs
	$(PIP) --constraint constraints.txt ".[fast,viz,serve]"
	@touch $@

# CuPy for the CUDA of the driver: make gpu CUDA=13
CUDA ?= 12
.venv/gpu-needs: .venv/eco-needs
	$(PIP) --constraint constraints.txt ".[fast,viz,surrogate]" pytest hypothesis \
		"cupy-cuda$(CUDA)x[ctk]>=14"
	@touch $@

.venv/docs-needs: .venv/demo-needs
	$(PIP) --constraint constraints.txt ".[docs]"
	@touch $@

.venv/browser-needs: .venv/test-needs
	$(PIP) --constraint constraints.txt ".[browser]"
	@touch $@

.venv/test-needs: .venv/demo-needs
	$(PIP) --constraint constraints.txt ".[dev]"
	@touch $@

.venv/python:
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@
