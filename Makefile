# The commands that people use. Each one does its own set-up, so a fresh clone needs nothing first.
SHELL := /bin/sh
PORT ?= 8000
PYTHON := .venv/bin/python
# With a key of the real service the local stand-in is not needed, and not installed.
REAL_SET := $(if $(S3_BUCKET),requirements-s3.txt,requirements.txt)
RUN_SET := $(if $(VIDEOGEN_API_KEY),$(REAL_SET),requirements-sandbox.txt)

.PHONY: run test test-fast coverage bench soak fuzz check lock clean
SOAK ?= sqlite
REQUESTS ?= 100000

run: .venv/$(RUN_SET).installed
	@exec $(PYTHON) manage.py serve --port $(PORT)

test: .venv/requirements-dev.txt.installed
	@PYTHON=$(PYTHON) scripts/test $(ARGS)

# Without a sandbox, a server, a browser or a service beside the tests.
test-fast: .venv/requirements-dev.txt.installed
	@PYTHON=$(PYTHON) scripts/test fast

coverage: .venv/requirements-dev.txt.installed
	@PYTHON=$(PYTHON) scripts/test coverage

check: .venv/requirements-dev.txt.installed
	@PYTHON=$(PYTHON) scripts/check

bench: .venv/requirements-dev.txt.installed
	@$(PYTHON) -m benchmarks $(ARGS)

# Takes a little over ten minutes. SOAK=postgres starts a separate PostgreSQL server, whose programs must be installed.
soak: .venv/requirements-dev.txt.installed
	@$(PYTHON) -m soak --database $(SOAK) $(ARGS)

fuzz: .venv/requirements-dev.txt.installed
	@FUZZ_REQUESTS=$(REQUESTS) LOG_LEVEL=ERROR DATA_DIR=$$(mktemp -d) $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/security/test_receiver_fuzz.py

lock:
	@scripts/lock

clean:
	rm -rf .venv .uv

# The stamp stands for "this set, as locked, is in the environment".
.venv/%.installed: % .python-version scripts/uv
	@test -x $(PYTHON) || scripts/uv venv --quiet .venv
	@scripts/uv pip install --quiet --python $(PYTHON) --require-hashes -r $<
	@touch $@
