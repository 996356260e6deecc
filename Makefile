# Two commands matter: `make demo` and `make test`. Both set up what they need; a second run is quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO ?=
FULL ?=
BUDGET ?=
BENCH := .venv-bench
PACKED := .venv-spark
TESTS ?= tests

# Where cores are shared, OpenMP's busy waiting costs more than it gives.
export OMP_WAIT_POLICY := passive

.PHONY: demo serve test test-all check format bench bench-quality spark-environment clean

demo: $(VENV)/.run  ## a world of 2,000 accounts: ingest, train, night, serve
	$(BIN)/nextbest demo $(DEMO)

test: $(VENV)/.dev  ## core tests, on SQLite and a real PostgreSQL
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 20 $(TESTS)

test-all: test spark-environment  ## everything; whatever is slow or needs more than Python joins here
	FULL=1 $(BIN)/python -m pytest tests/api/test_described.py tests/scenarios/test_all_accounts.py
	$(PIP) -e '.[train,postgres,dev,spark,spark-test]'
	FULL=1 $(BIN)/python -m pytest tests/data/test_spark.py tests/data/test_spark_cluster.py tests/api/test_night_spark.py tests/training/test_spark_cases.py

check: $(VENV)/.dev  ## format, lint, types, imports, links, floats
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/house

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## speeds as ratios within one run; FULL=1 the large form, which writes docs/speed.md
	$(if $(FULL),$(PIP) -e '.[bench-rules]')
	$(BIN)/python -m benchmarks $(if $(FULL),--full --write)
	$(BIN)/python -m benchmarks.serving $(if $(FULL),--full --write)

bench-quality: $(VENV)/.dev $(if $(FULL),$(BENCH)/.done)  ## how good: minutes; BUDGET=1 hours; FULL=1 days
	$(BIN)/python -m benchmarks.quality $(if $(FULL),--full --write --runs 400 --peers $(BENCH)/bin/python,$(if $(BUDGET),--budget --write --runs 8,--runs 5))

$(BENCH)/.done: pyproject.toml constraints.txt
	rm -rf build
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '.[bench]'
	touch $@

spark-environment:  ## nextbest-spark.tar.gz: Python and packages for Spark's executors (docs/scale.md)
	rm -rf $(PACKED) build
	$(PYTHON) -m venv --copies $(PACKED)
	$(PACKED)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '.[spark-pack]'
	$(PACKED)/bin/venv-pack --prefix $(PACKED) --force --output nextbest-spark.tar.gz
	rm -rf $(PACKED) build

clean:
	rm -rf build $(VENV) $(BENCH) $(PACKED) nextbest-spark.tar.gz var .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nextbest needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[train]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[train,postgres,dev]'
	touch $@ $(VENV)/.run
