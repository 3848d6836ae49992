# Works on a machine that has only make and Python 3.11+ with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
STAMP := $(VENV)/.installed

.PHONY: demo test lint bench notebooks docs lock clean

demo: $(STAMP)  ## install, then the whole loop on the built-in cohort, and a page read
	$(BIN)/python -m experiments.run +exp=vizecg
	$(BIN)/ecgvision digitize docs/page.png --out runs/demo/page --figure runs/demo/page.jpg
	@echo
	@echo "In a terminal, the commands of README.md need the environment:  source $(BIN)/activate"

test: $(STAMP)  ## install, then the tests
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(STAMP)  ## style, types and directions of import
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## every benchmark that needs nothing which is not here, one after the other
	$(BIN)/python -m experiments.bench all

notebooks: $(STAMP)  ## open the notebooks in Jupyter
	$(UV) pip install --quiet --python $(BIN)/python -e ".[notebooks]"
	$(BIN)/jupyter lab notebooks

docs: $(STAMP)  ## the documentation as a website in build/docs; any warning stops it
	$(UV) pip install --quiet --python $(BIN)/python -e ".[docs]"
	$(BIN)/mkdocs build --strict
	! grep -rlE '<(script|link|img)[^>]+(src|href)="?https?://' build/docs --include='*.html'

lock: .uv/bin/uv  ## solve the dependencies anew, with hashes and for every platform
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --python-version 3.11 --extra train --extra imagenet --extra dev \
	  --output-file requirements.lock pyproject.toml
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --python-version 3.11 --extra serve --constraint requirements.lock \
	  --output-file serve.lock pyproject.toml

$(STAMP): requirements.lock pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $(STAMP)

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf $(VENV) .uv
