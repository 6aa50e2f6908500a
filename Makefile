# make demo: the whole path on synthetic scenes, or on your AUDIO.
# make test: the test suite.
# make optional: installs what some tests need and skip without.
# make test-long: the long variants of the tests.
# make test-newest: a part of it on the newest TensorFlow (Python 3.13).
# make bench: speed against what a user would take instead. QUICK=1: roughly.
# make bench-growth: how time and memory grow with the size of the work.
# make bench-profile: what training steps spend their time on.
# make bench-data: speed and memory of the data path.
# make bench-onednn: training and embedding with and without oneDNN.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: demo demo-train demo-evaluate optional test test-long test-newest \
	bench bench-growth bench-profile bench-data bench-onednn clean

# The interpreter that .venv has, or else the newest that is supported and can
# make one. make PYTHON=python3.11 takes another.
VENV := .venv
PY := $(VENV)/bin/python
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in $(PY) python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import ensurepip; $(IS_SUPPORTED)' 2>/dev/null && { echo "$$p"; break; }; done)
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
INSTALLED := $(VENV)/installed-$(VERSION)

# Your recordings: make demo AUDIO=folder [LABELS=labels.csv]. RUN is where
# all results go; the others add flags to a stage, e.g.
# INGEST_FLAGS="--label_column=category --eval_folds=4".
AUDIO ?=
LABELS ?=
INGEST_FLAGS ?=
SEPARATION_FLAGS ?=
PRETRAIN_FLAGS ?=
RUN ?= $(if $(AUDIO),runs/$(notdir $(patsubst %/,%,$(AUDIO))),runs/demo)

ifeq ($(AUDIO),)
SOURCE := --flagfile=data/flagfiles/demo_synthetic.flags
QUERY = $(RUN)/shards/query.wav
else
SOURCE := --source=folder --input="$(AUDIO)" $(if $(LABELS),--labels="$(LABELS)")
# The first recording, once there are shards.
QUERY = $(AUDIO)/$(shell "$(PY)" -c 'import csv, sys; \
	print([*csv.reader(open(sys.argv[1], encoding="utf-8"))][1][0])' \
	"$(RUN)/shards/recordings.csv")
endif

# Nothing can be measured without labels: known once there are shards.
MEASURED := $(shell grep -q '"class_names": \[\]' "$(RUN)/shards/dataset.json" 2>/dev/null || echo yes)

define stage
	@echo; echo "== $(1)"
endef

demo: $(INSTALLED)
	@$(MAKE) --no-print-directory demo-train
	@$(MAKE) --no-print-directory demo-evaluate

demo-train:
ifeq ($(wildcard $(RUN)/pretrain/embedding_model.keras),)
	$(call stage,how long it takes: pretraining is a little less than half of it)
	$(PY) train/step_time.py \
	  --flagfile=train/flagfiles/demo_pretrain.flags $(PRETRAIN_FLAGS)
endif
	$(call stage,1 of 9: recordings to shards)
	$(PY) data/write_shards.py $(SOURCE) $(INGEST_FLAGS) --output="$(RUN)/shards" --remake
	$(call stage,2 of 9: train a separator with MixIT)
	$(PY) train/train_separation.py \
	  --flagfile=train/flagfiles/demo_separation.flags $(SEPARATION_FLAGS) \
	  --shards="$(RUN)/shards" --output="$(RUN)/separation" --remake
	$(call stage,3 of 9: separate the shards)
	$(PY) train/separate_shards.py --shards="$(RUN)/shards" \
	  --separator="$(RUN)/separation" --processors=N,S2 \
	  --output="$(RUN)/separated" --remake
	$(call stage,4 of 9: pretrain the encoder)
	$(PY) train/pretrain_contrastive.py \
	  --flagfile=train/flagfiles/demo_pretrain.flags $(PRETRAIN_FLAGS) \
	  --shards="$(RUN)/separated" --output="$(RUN)/pretrain" --remake

demo-evaluate:
	$(call stage,5 of 9: probe)
ifneq ($(MEASURED),)
	$(PY) evaluate/probe.py --encoder="$(RUN)/pretrain" --output="$(RUN)/probe" --remake
else
	@echo "left out: the recordings have no labels"
endif
	$(call stage,6 of 9: query-by-example retrieval)
ifneq ($(MEASURED),)
	$(PY) evaluate/retrieval.py --encoder="$(RUN)/pretrain" \
	  --output="$(RUN)/retrieval" --remake
else
	@echo "left out: the recordings have no labels"
endif
	$(call stage,7 of 9: search with one recording)
	$(PY) evaluate/search.py --query="$(QUERY)" --encoder="$(RUN)/pretrain"
	$(call stage,8 of 9: export for TensorFlow Serving)
	$(PY) evaluate/export_saved_model.py --encoder="$(RUN)/pretrain" \
	  --output="$(RUN)/saved_model" --remake
	$(call stage,9 of 9: report)
	$(PY) evaluate/report.py --encoder="$(RUN)/pretrain" \
	  --separation="$(RUN)/separation" \
	  $(if $(MEASURED),--probe="$(RUN)/probe" --retrieval="$(RUN)/retrieval") \
	  --output="$(RUN)/report.html"
	@echo
	@echo "SavedModel: $(RUN)/saved_model/1"
	@echo "report: $(RUN)/report.html"

optional: $(INSTALLED)-test
	@.ci/install "$(PYTHON)" $(VENV) requirements-optional.txt

test: $(INSTALLED)-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(TESTS)

test-long: $(INSTALLED)-test
	$(PY) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m long

# Each package, and the whole path from recordings to a report.
test-newest: TESTS := tests/models tests/entry_points_test.py \
	tests/data/run/environment_test.py tests/data/write_shards_test.py \
	tests/data/shards/record_reader_test.py \
	tests/train/contrastive/learner_test.py \
	tests/train/loop/training_loop_test.py tests/train/loop/training_log_test.py \
	tests/train/published/import_panns_test.py \
	tests/evaluate/export_saved_model_test.py \
	tests/evaluate/serving/exchange_test.py tests/evaluate/probe_test.py \
	tests/end_to_end_test.py
test-newest:
	@if python3.13 -c 'import ensurepip' 2>/dev/null; then \
	  $(MAKE) test PYTHON=python3.13 VENV=.venv-newest TESTS="$(TESTS)"; \
	else \
	  echo "not tested on the newest TensorFlow: there is no python3.13 here"; \
	fi

# What is compared with has an environment of its own. ROWS="loss|search"
# measures only rows with such titles.
QUICK ?=
ROWS ?=
BENCH_VENV := .venv-bench
BENCH_INSTALLED := $(BENCH_VENV)/installed-$(VERSION)

bench: $(INSTALLED)-test $(BENCH_INSTALLED)
	$(PY) -m tests.bench.compare $(if $(QUICK),--quick) --rows="$(ROWS)"

bench-growth: $(INSTALLED)-test
	$(PY) -m tests.bench.growth

bench-profile: $(INSTALLED)-test
	$(PY) -m tests.bench.step_profile

bench-data: $(INSTALLED)-test
	$(PY) -m tests.bench.data_bench

bench-onednn: $(INSTALLED)-test
	$(PY) -m tests.bench.onednn_bench

clean:
	rm -rf .venv .venv-newest .venv-bench runs

$(INSTALLED): requirements.txt
	@.ci/install "$(PYTHON)" $(VENV) requirements.txt
	@touch $@

$(INSTALLED)-test: $(INSTALLED) requirements-test.txt
	@.ci/install "$(PYTHON)" $(VENV) requirements-test.txt
	@touch $@

$(BENCH_INSTALLED): requirements-bench.txt
	@.ci/install "$(PYTHON)" $(BENCH_VENV) requirements-bench.txt
	@touch $@
