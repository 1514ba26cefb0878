# make demo: set up, train and evaluate suites/quick.toml, say where the page is, make a panda a gibbon
# make test: set up and run the tests          make check: lint, types, layers
PYTHON ?= python3
BIN = .venv/bin

.PHONY: setup demo test slow check

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "robust needs Python 3.11 to 3.13; say which: make setup PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --constraint constraints.txt pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[imagenet]' --group dev
	@touch $@

demo: setup
	$(BIN)/robust run suites/quick.toml
	$(BIN)/robust attack panda --target gibbon --set steps=10 --out reports/panda

test: setup
	$(BIN)/pytest -n 2 --dist loadfile

slow: setup
	$(BIN)/pytest -n 2 --dist loadfile -m slow

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check --min-severity error
	$(BIN)/lint-imports
