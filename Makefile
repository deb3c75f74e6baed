# Every target sets up what it needs: a clean checkout, Python 3.11+ and make are enough. `make` lists the targets.

PACKAGES := gateway web campaigns messages dispatch recipients dlr shortlinks storage smpp ratelimit benchmarks docker
# The Python client, a distribution of its own.
CLIENT   := clients/python
CHECKS   := lint-style lint-format lint-types lint-imports lint-duplicates
VENV     := .venv
BIN      := $(VENV)/bin
# smpp.pdu3, an independent codec that tests compare ours with, installs a package named smpp: it lives by itself.
ORACLE   := .venv-oracle
# uv, which writes requirements/. Nothing else needs it.
LOCKER   := .venv-lock
# pip-audit, which asks for advisories.
AUDITOR  := .venv-audit

# .venv is made with one Python; what may differ on these is asked by the tests beside them.
OTHER_PYTHONS := 3.12 3.13 3.14
THEIR_TESTS   := tests/tidy/test_imports.py tests/clients tests/dlr tests/ratelimit tests/messages/accept \
    tests/integration/test_main_road.py

# Set one of these on the command line.
PYTHON      ?=
ONCE        ?=
MESSAGES    ?=
CAMPAIGN    ?=
PEOPLE      ?=
BENCHMARK   ?= end_to_end
JSON        ?=
PYTEST_ARGS ?=
UPGRADE     ?=

# What .venv was made from: this folder (a venv does not survive a move), the text of both pyproject.toml and of the locks.
# Not their mtime, which a branch switch moves without changing a dependency.
STAMP     := $(VENV)/.setup
MADE_FROM := $(CURDIR) $(shell cat pyproject.toml $(CLIENT)/pyproject.toml requirements/*.txt | cksum)
ifneq ($(MADE_FROM),$(shell cat $(STAMP) 2>/dev/null))
$(STAMP): FORCE
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint $(CHECKS) bench format lock sbom audit test-pythons clean distclean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## build .venv with everything in it; again only when pyproject.toml or requirements/ changed

DEMO_OPTIONS = $(if $(filter-out 0 no false,$(CAMPAIGN)),--campaign) $(if $(PEOPLE),--people $(PEOPLE)) \
    $(if $(filter-out 0 no false,$(ONCE)),--once) $(if $(MESSAGES),--messages $(MESSAGES))
demo: setup ## the whole system with real messages; ONCE=1 ends by itself, MESSAGES=N, CAMPAIGN=1 with PEOPLE=N
	@$(BIN)/smsgate demo $(DEMO_OPTIONS)

# A failed check does not hide what the tests say: everything runs, and the exit code counts all of it.
# Python keeps what it compiled, also where it is told not to: the tests start it a hundred times.
test: setup ## lint, then the tests; PYTEST_ARGS="tests/smpp -k window" runs some of them
	@$(RUN_CHECKS) \
	echo "== tests: pytest"; \
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(PYTEST_ARGS) || failed="$$failed tests"; \
	$(REPORT_FAILED)

lint: setup ## style, format, types, import layers, duplicated code
	@$(RUN_CHECKS) \
	$(REPORT_FAILED)

lint-style: setup
	@echo "== lint-style: ruff check"
	@$(BIN)/python -m ruff check .

lint-format: setup
	@echo "== lint-format: ruff format --check"
	@$(BIN)/python -m ruff format --check .

lint-types: setup
	@echo "== lint-types: mypy --strict"
	@$(BIN)/python -m mypy

lint-imports: setup
	@echo "== lint-imports: the layers in pyproject.toml, and no circle"
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.tidy.circles

# Eight lines that are the same twice belong in one place. Tests may repeat themselves, and the client, which is
# installed without the gateway, the shapes of its answers.
lint-duplicates: setup
	@echo "== lint-duplicates: pylint duplicate-code"
	@$(DUPLICATES) $(PACKAGES)
	@$(DUPLICATES) $(CLIENT)/smsgate_client
	@echo "No duplicated code."

# A Python that is not here is said and is no failure.
test-pythons: setup ## a part of the tests on each of the other Pythons that is found here
	@set -u; failed=; \
	for version in $(OTHER_PYTHONS); do \
	    python=; \
	    for candidate in $$($(call PYTHONS_NAMED,$$version)); do \
	        if "$$candidate" -c 'import ensurepip' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	    done; \
	    if [ -z "$$python" ]; then echo "== python$$version: SKIPPED, there is none with ensurepip here"; continue; fi; \
	    echo "== python$$version: $$python"; \
	    venv=$(VENV)-$$version; \
	    { [ -x $$venv/bin/python ] || "$$python" -m venv --clear $$venv; } \
	        && $(PIP_WISHES) $$venv/bin/python -m pip --no-input $(LOCKED) requirements/dev.txt --no-compile \
	        && $(PIP_WISHES) $$venv/bin/python -m pip -qq install $(OURSELVES) \
	        && PYTHONDONTWRITEBYTECODE= $$venv/bin/python -m pytest $(THEIR_TESTS) \
	        || failed="$$failed python$$version"; \
	done; \
	$(REPORT_FAILED)

bench: setup ## python -m benchmarks; BENCHMARK=end_to_end, JSON=FILE keeps the figures
	@$(BIN)/python -m benchmarks $(BENCHMARK) $(if $(JSON),--json $(JSON))

format: setup ## rewrite the code the way lint wants it
	@$(BIN)/python -m ruff check --fix-only --quiet .
	@$(BIN)/python -m ruff format .

# dev.txt first: it holds everything that .venv gets. What the image gets has the versions that were tested.
lock: $(LOCKER)/bin/uv ## write requirements/ after pyproject.toml; keeps versions that still fit, UPGRADE=1 takes the newest
	@set -eu; \
	lock() { \
	    file=requirements/$$1.txt; shift; \
	    $(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	        --only-binary :all: --custom-compile-command 'make lock' $(if $(filter-out 0 no false,$(UPGRADE)),--upgrade) \
	        --output-file $$file "$$@"; \
	    echo "$$file: $$(grep -c '^[a-z0-9]' $$file) packages"; \
	}; \
	lock dev pyproject.toml $(CLIENT)/pyproject.toml --group pyproject.toml:dev; \
	lock run pyproject.toml --constraints requirements/dev.txt; \
	lock build --group build --constraints requirements/dev.txt; \
	lock pip --group pip --constraints requirements/dev.txt; \
	lock oracle --group oracle --no-deps; \
	lock lock --group lock; \
	lock audit --group audit

sbom: setup ## what the image is made of, as CycloneDX, in build/smsgate.cdx.json
	@mkdir -p build
	@$(BIN)/python -m docker.sbom > build/smsgate.cdx.json
	@echo build/smsgate.cdx.json

# Not in make test: what was advised yesterday is no fault of today's change.
audit: setup ## ask PyPI for advisories of each locked package; needs a network, and says when there is none
	@$(BIN)/python -c '$(REACHES_PYPI)' 2>/dev/null \
	    || { echo "NOT AUDITED: https://pypi.org cannot be reached from here" >&2; exit 1; }
	@$(MAKE) --no-print-directory $(AUDITOR)/bin/pip-audit
	@for lock in run dev build; do \
	    echo "== requirements/$$lock.txt"; \
	    $(AUDITOR)/bin/pip-audit --progress-spinner off --disable-pip --require-hashes \
	        --requirement requirements/$$lock.txt || failed=1; \
	done; \
	[ -z "$${failed:-}" ]

clean: ## remove caches and built packages
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	@find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## clean, and .venv as well
	@rm -rf $(VENV) $(ORACLE) $(LOCKER) $(AUDITOR) $(OTHER_PYTHONS:%=$(VENV)-%)

FORCE:

# A folder that was moved or copied here, or whose Python is gone, is made anew; any other .venv is completed.
# Where ensurepip is missing (Debian without python3-venv), the pip beside that Python fills the new .venv.
$(STAMP):
	@set -eu; \
	made_in=$$(sed 's/ [0-9]* [0-9]*$$//' $(STAMP) 2>/dev/null || true); \
	if [ -n "$$made_in" ] && [ "$$made_in" != "$(CURDIR)" ]; then rm -rf $(VENV); fi; \
	rm -f $(STAMP); \
	if ! $(BIN)/python -c '$(IS_USABLE)' >/dev/null 2>&1; then \
	    python=; \
	    for wanted in '$(IS_QUICK)' '$(IS_USABLE)'; do \
	        for candidate in $(or $(PYTHON),$$($(ALL_PYTHONS))); do \
	            if "$$candidate" -c "$$wanted" >/dev/null 2>&1; then python=$$candidate; break 2; fi; \
	        done; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo "$(if $(PYTHON),$(PYTHON) is no usable Python,No usable Python on the PATH): 3.11 or newer is" \
	            "needed; name one so: make setup PYTHON=/path/to/python3.11" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$("$$python" --version 2>&1) ($$python)"; \
	    if "$$python" -c 'import ensurepip' >/dev/null 2>&1; then \
	        "$$python" -m venv --clear $(VENV); \
	    else \
	        "$$python" -m venv --clear --without-pip $(VENV); \
	        $(PIP_WISHES) "$$python" -m pip --python $(BIN)/python $(LOCKED) requirements/pip.txt; \
	    fi; \
	fi; \
	echo "Installing smsgate and its tools into $(VENV); the first time takes a few minutes"; \
	$(PIP) $(LOCKED) requirements/pip.txt; \
	$(PIP) $(LOCKED) requirements/dev.txt; \
	$(PIP) -qq install $(OURSELVES); \
	[ -x $(ORACLE)/bin/python ] || $(BIN)/python -m venv --clear --without-pip $(ORACLE); \
	$(PIP) --python $(ORACLE)/bin/python $(LOCKED) requirements/oracle.txt --no-deps; \
	echo '$(MADE_FROM)' > $(STAMP); \
	echo "Ready: $(BIN)/smsgate --help"

# Not by way of setup where .venv is there: locks that no longer install are mended here.
$(LOCKER)/bin/uv: requirements/lock.txt
	@[ -x $(BIN)/python ] || $(MAKE) --no-print-directory setup
	@$(BIN)/python -m venv --clear --without-pip $(LOCKER)
	@$(PIP) --python $(LOCKER)/bin/python $(LOCKED) requirements/lock.txt
	@touch $@

$(AUDITOR)/bin/pip-audit: requirements/audit.txt
	@$(BIN)/python -m venv --clear --without-pip $(AUDITOR)
	@$(PIP) --python $(AUDITOR)/bin/python $(LOCKED) requirements/audit.txt
	@touch $@

# What is installed is what requirements/ says, octet for octet: each file has its hash there. Wheels alone, so that
# nothing is compiled here and no package's code runs while it is installed.
PIP_WISHES = PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
PIP        = $(PIP_WISHES) $(BIN)/python -m pip
OURSELVES  = --no-deps --no-build-isolation --editable . --editable $(CLIENT)
LOCKED     = -qq install --require-hashes --only-binary :all: --requirement

REACHES_PYPI = import urllib.request; urllib.request.urlopen("https://pypi.org/simple/pip/", timeout=20)
IS_USABLE = import sys, venv; sys.exit(sys.version_info < (3, 11))
# One that was built with --enable-optimizations, or by a distribution (they all do, though few say so), carries the
# same messages with a seventh less of the processor than a plain build: it is preferred, wherever on the PATH it is.
IS_QUICK  = import sys, sysconfig, venv; from importlib.util import find_spec; \
    built = sysconfig.get_config_var("CONFIG_ARGS") or ""; \
    optimised = "--enable-optimizations" in built or sys.base_prefix == "/usr"; \
    sys.exit(not (optimised and sys.version_info >= (3, 11) and (find_spec("ensurepip") or find_spec("pip"))))
# On the PATH, and where pyenv keeps those that it does not put there.
PYTHONS_NAMED = command -v python$(1); ls -d "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$(1).*/bin/python 2>/dev/null
ALL_PYTHONS = for name in python3.11 python3.12 python3.13 python3.14 python3; do \
    (IFS=:; for folder in $$PATH; do [ -x "$$folder/$$name" ] && echo "$$folder/$$name"; done); done

DUPLICATES = $(BIN)/python -m pylint --rcfile=/dev/null --persistent=n --score=n --disable=all --enable=duplicate-code \
    --jobs=2 --min-similarity-lines=8 --ignore-imports=y --ignore-docstrings=y --ignore-comments=y --ignore-signatures=y

# All at once: the types take one processor, the duplicates two. What each says is kept together, in the order of CHECKS.
define RUN_CHECKS
said=$$(mktemp -d); \
for check in $(CHECKS); do \
    (MAKEFLAGS= $(MAKE) --no-print-directory "$$check" >"$$said/$$check" 2>&1 || touch "$$said/$$check.failed") & \
done; \
wait; \
failed=; \
for check in $(CHECKS); do \
    cat "$$said/$$check"; \
    if [ -e "$$said/$$check.failed" ]; then failed="$$failed $$check"; fi; \
done; \
rm -rf "$$said"; \
if [ -n "$$failed" ]; then echo "FAILED so far:$$failed"; fi;
endef

# Silent on success, so that pytest's summary stays the last line.
define REPORT_FAILED
if [ -n "$$failed" ]; then echo "FAILED:$$failed" >&2; exit 1; fi
endef
