# `make demo` and `make test` need Python 3.11 or newer and nothing else: each step leaves a stamp in
# .venv when it is complete, so an interrupted one is repeated and a complete one is skipped.
#   PYTHON=python3.12     the interpreter to use
#   EXTRAS=all            which optional dependencies to install (see pyproject.toml)
#   PIP_FLAGS="--extra-index-url URL"   another build of torch, from its install page's URL
#   UV=1                  install with uv instead of pip

SHELL := /bin/bash -euo pipefail
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: demo test lint types bench report clean help FORCE

PYTHON ?=
EXTRAS ?= report
PIP_FLAGS ?=
UV ?=
RUNS ?= demo/priming demo/ablation
OUTPUT ?= demo/report
PYTEST_FLAGS ?=
# Sizes at which the effects show on a CPU; the published ones are 256 wide and start at step 10,000.
DEMO := --hidden-sizes 64 64 --batch-size 64 --learning-rate 1e-3 --start-steps 250 \
  --eval-every 500 --eval-episodes 3 --log-every 500 --diagnose-every 500 --quiet

export PATH := $(CURDIR)/.venv/bin:$(PATH)
INSTALL := $(if $(UV),uv pip install --python .venv --quiet,\
  python -m pip --disable-pip-version-check install -qq)
PINNED := $(INSTALL) -c constraints.txt $(PIP_FLAGS)

## demo: the two effects and their report in a few minutes on a CPU (demo/report)
# ---- the demo: plain commands, as anyone would type them --------------------------------------
demo: .venv/.runtime
	primacy sweep --out demo/priming --agent sac --task cartpole-swingup --action-repeat 8 \
	  --grid "prime-updates=0;30000;30000 --remedies reset:every=1499,unit=env_steps,until=1499" \
	  --seeds 0 1 2 --replay-ratio 4 --prime-transitions 125 --env-steps 3000 $(DEMO)
	primacy sweep --out demo/ablation --agent sac --task walker-stand --action-repeat 4 \
	  --grid replay-ratio=4,32 "remedies=none;reset:every=2000,unit=env_steps,offset=249" \
	  --seeds 0 1 2 --env-steps 5000 $(DEMO)
	primacy report demo/priming demo/ablation --output demo/report
# -----------------------------------------------------------------------------------------------

## test: every test that is not marked slow (PYTEST_FLAGS=... for more)
test: .venv/.dev
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile $(PYTEST_FLAGS)

## lint: ruff, rules and format
lint: .venv/.dev
	ruff check .
	ruff format --check .

## types: pyright over every tracked Python file
types: .venv/.dev
	@mkdir -p build/types && ln -sfn ../.. build/types/primacy
	pyright --stats | tee build/types/output
	@checked=$$(sed -n 's/^Total files checked: *//p' build/types/output); \
	tracked=$$(git ls-files '*.py' | wc -l); \
	if [ "$${checked:-0}" -lt "$$tracked" ]; then \
	  echo "pyright read $${checked:-0} files of $$tracked: see [tool.pyright] include"; exit 1; \
	fi

## bench: speed, side by side with plain versions of the same
bench: .venv/.dev
	for benchmark in benchmarks/bench_*.py; do python "$$benchmark"; done

## report: figures and tables from finished runs (RUNS="folder ..." OUTPUT=folder)
report: .venv/.runtime
	primacy report $(RUNS) --output $(OUTPUT)

## clean: remove build products and caches; results, demo/ and .venv stay
clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find agents benchmarks envs plasticity replay runs tests __pycache__ -name __pycache__ \
	  -prune -exec rm -rf {} + 2>/dev/null || true

## help: this list
help:
	@sed -n 's/^## /  make /p' Makefile

# A virtual environment holds absolute paths: one that was moved is made anew.
MOVED := $(filter-out $(CURDIR),$(shell cat .venv/.made 2>/dev/null))

.venv/.made: $(if $(MOVED),FORCE)
	@for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3 python); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    found=$$python; break; \
	  fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "primacy needs Python 3.11 or newer: install it," \
	    "or run make PYTHON=/path/to/python"; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$found cannot make virtual environments:" \
	    "on Debian and Ubuntu install the package python3-venv"; exit 1; \
	fi; \
	"$$found" -m venv $(if $(MOVED),--clear) .venv || { rm -rf .venv; exit 1; }
	$(INSTALL) "pip>=25.1" "setuptools>=77"
	@echo '$(CURDIR)' > $@

.venv/.runtime: pyproject.toml constraints.txt .venv/.made
	@echo 'Installing into .venv, minutes: 1.6 GB with a CPU build of torch, several more with CUDA' \
	  '(another build: make PIP_FLAGS="--extra-index-url URL", the URL from its install page)'
	@# dm-control demands labmaze, which has no wheel for Python 3.13 and which only its mazes
	@# import: there, pip is told that it is installed.
	@if python -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then \
	  info=$$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	  info=$$info/labmaze-1.0.6.dist-info; mkdir -p "$$info"; \
	  printf 'Metadata-Version: 2.1\nName: labmaze\nVersion: 1.0.6\n' > "$$info/METADATA"; \
	fi
	$(PINNED) --no-build-isolation -e '.[$(EXTRAS)]'
	@touch $@

.venv/.dev: .venv/.runtime
	$(PINNED) --group dev
	@touch $@

FORCE:
