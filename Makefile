# make run: set up, build, serve the sample handlers.  make test: set up, build, test.  Everything else is for developers.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONF ?= apache-conf/quickstart.conf
FUZZ_SECONDS ?= $(if $(TESTS),1,60)

.PHONY: run test build check soak bench docs clean

run: build
	@$(BIN)/pyhost -f $(CONF)

test: $(VENV)/.test-ready build
	@PYHOST_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest -q --ignore=tests/soak $(TESTS)

build: $(VENV)/.ready
	@$(BIN)/python pyhost/_build.py -o $(BIN)/pyhost >/dev/null

# What the system must have is installed when we are root on Debian, and named otherwise.
$(VENV)/.ready: setup.py pyproject.toml tests/system.sh
	@sh tests/system.sh build $(PYTHON)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -U pip "setuptools>=77" "cffi>=1.16" "greenlet>=3.1"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.test-ready: $(VENV)/.ready tests/requirements.txt tests/check-requirements.txt tests/system.sh
	@sh tests/system.sh test $(PYTHON)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check mariadb || echo "make: no PyPI package mariadb for this system: its test is skipped"
	@touch $@

check: $(VENV)/.ready
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r tests/check-requirements.txt
	@$(BIN)/python -m ruff check pyhost tests setup.py
	@$(BIN)/python -m mypy --strict pyhost

# A long run: seconds of mixed clients, 100,000 requests of each kind, CPython's own tests.
SECONDS ?= 180
soak: $(VENV)/.test-ready build
	@PYHOST_SOAK=$(SECONDS) $(BIN)/python -m pytest -q tests/soak

bench: $(VENV)/.ready build
	@cd tests && ../$(BIN)/python -m bench

docs: build
	@$(BIN)/pyhost -L --markdown >docs/directives.md
	@$(BIN)/python -m pyhost.mod_python.manual >docs/mod_python_api.md
	@$(BIN)/python -m pyhost.manual

clean:
	rm -rf build dist *.egg-info $(VENV)
