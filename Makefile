# Each target works from a bare clone: it makes its own .venv first.

PYTHON ?= python3
BIN := .venv/bin
ROOT := $(if $(filter 0,$(shell id -u)),yes,)

# For the targets on a cluster: hive, hive+impala or spark.
ENGINE ?= hive
KERBEROS := krb5-kdc krb5-admin-server krb5-user libkrb5-dev build-essential python3-dev

.PHONY: demo test test-browser test-cluster cluster demo-cluster check bench bench-cluster luigid \
    clean format jvm kerberos

demo: .venv/made
	@$(BIN)/python -m demo

test: .venv/made
	@test -x /usr/sbin/sshd || $(if $(ROOT), \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y openssh-server; }, \
	    { echo "An SSH server is needed; run: sudo apt install openssh-server"; exit 1; })
	$(BIN)/pytest

test-browser: .venv/made
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || $(if $(ROOT), \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium chromium-driver; }, \
	    { echo "Chromium is needed; run: sudo apt install chromium chromium-driver"; exit 1; })
	$(BIN)/pytest -m browser -n 0

jvm:
	@command -v java >/dev/null && command -v mvn >/dev/null || $(if $(ROOT), \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y openjdk-17-jre-headless maven; }, \
	    { echo "Java 17 and Maven are needed; run: sudo apt install openjdk-17-jre-headless maven"; exit 1; })

# A KDC for the tests, and what the clients of the extra `kerberos` are compiled with.
kerberos: .venv/made
	@test -x /usr/sbin/krb5kdc && command -v kinit >/dev/null && command -v krb5-config >/dev/null || $(if $(ROOT), \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $(KERBEROS); }, \
	    { echo "A KDC is needed; run: sudo apt install $(KERBEROS)"; exit 1; })
	@$(BIN)/python -c 'import gssapi, kerberos' 2>/dev/null \
	    || { echo "compiling the Kerberos clients (4 minutes, once)"; \
	    $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[kerberos]'; }

test-cluster: .venv/made jvm kerberos
	$(BIN)/pytest -m cluster --dist loadfile --no-loadscope-reorder

cluster: .venv/made jvm
	@$(BIN)/python -m tests.cluster --engine $(ENGINE)

demo-cluster: .venv/made jvm
	@$(BIN)/python -m tests.cluster --engine $(ENGINE) --demo

check: .venv/made
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/docs

bench: .venv/made
	@$(BIN)/python -m benchmarks

bench-cluster: .venv/made jvm
	@$(BIN)/python -m benchmarks.cluster

format: .venv/made
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

luigid: .venv/made
	@echo "the visualiser: http://127.0.0.1:8082/"
	@cron/luigid

clean:
	rm -rf .venv var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/made: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	    || { echo "Python 3.10 or newer is needed; name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(if $(ROOT), \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv; }, \
	    { echo "Python cannot make virtual environments here; run: sudo apt install python3-venv"; exit 1; })
	@echo "making .venv (half a minute)"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch .venv/made
