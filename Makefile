# Thin calls of the command line `hwgen`; the first call of a target installs what it needs into .venv.
#
#   PYTHON=python3.12   the Python (3.11 or newer) that .venv is made from; by default the first found
#   VENV=path           another place for the environment, or an existing one

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

CONFIG ?= cgnet8
SET ?=
OUT ?= rtl_out
TARGET ?= ecp5
# TIMING=0 only counts; for Xilinx there is no nextpnr.
TIMING ?= $(if $(filter xilinx,$(TARGET)),0,1)
# The network that ships, with some of its test images.
ZOO := models/zoo
NET ?= $(ZOO)/fashion_small.safetensors
INPUT ?= $(if $(filter $(ZOO)/fashion_small.safetensors,$(NET)),$(ZOO)/fashion_sample.npz)
IMAGES ?=
MASKS ?=
PART ?=
BATCH ?=
# Workers share the processors; tests of one file stay together, because they share what they build.
PYTEST ?= -n auto --maxprocesses 8 --dist loadfile

HWGEN := $(VENV)/bin/python -m hwgen
PIP := $(VENV)/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt
quote = '$(subst ','\'',$(1))'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help verilog prove configs test sim bench bench-rtl side-by-side synth fpga ppa energy tune train-demo lint format lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile
	@echo 'CONFIG is a shipped name or the path of a TOML file; SET="array.lanes=16 ..." replaces fields.'

verilog: $(VENV)/.hwgen-core ## CONFIG=cgnet8 [SET=...] [OUT=rtl_out]: write the Verilog, JSON, C header and driver
	@$(HWGEN) verilog $(call quote,$(CONFIG)) --set $(call quote,$(SET)) --out $(call quote,$(OUT))

prove: $(VENV)/.hwgen-synth ## CONFIG=cgnet8 [SET=...]: the same, and prove the Verilog equal to Amaranth's own output
	@$(HWGEN) verilog $(call quote,$(CONFIG)) --set $(call quote,$(SET)) --out $(call quote,$(OUT)) --prove

configs: $(VENV)/.hwgen-core ## List the shipped configurations; `.venv/bin/hwgen configs NAME` describes every field
	@$(HWGEN) configs

test: $(VENV)/.hwgen-test ## Run all tests [PYTEST="tests/house -x"]
	@$(VENV)/bin/python -m pytest $(PYTEST)

sim: $(VENV)/.hwgen-models $(VENV)/.hwgen-sim ## [CONFIG=...] [NET=file INPUT=images.npz]: run a network on the RTL, compare
	@$(HWGEN) run $(call quote,$(NET)) $(if $(INPUT),$(call quote,$(INPUT))) \
		--config $(call quote,$(CONFIG)) --set $(call quote,$(SET)) $(if $(IMAGES),--images $(call quote,$(IMAGES)))

bench-rtl: $(VENV)/.hwgen-models $(VENV)/.hwgen-sim ## [CONFIG=...] [MASKS=file.npz]: measure the generated hardware
	@$(HWGEN) bench-rtl $(call quote,$(CONFIG)) --set $(call quote,$(SET)) $(if $(MASKS),--masks $(call quote,$(MASKS)))

bench: $(VENV)/.hwgen-models $(VENV)/.hwgen-sim ## [NET=file INPUT=images] [PART=trained|cifar|imagenet] [ONLY=vgg16] [BATCH=1]: gated against dense, whole networks
	@$(HWGEN) bench $(if $(filter-out $(ZOO)/fashion_small.safetensors,$(NET)),$(call quote,$(NET)) $(if $(INPUT),$(call quote,$(INPUT)))) \
		$(foreach part,$(PART),--part $(call quote,$(part))) $(if $(ONLY),--only $(call quote,$(ONLY))) $(foreach batch,$(BATCH),--batch $(batch)) \
		--out $(call quote,$(OUT)/bench.json)
	@$(HWGEN) report --bench $(call quote,$(OUT)/bench.json) --out $(call quote,$(OUT)/report.html)

side-by-side: $(VENV)/.hwgen-models $(VENV)/.hwgen-rivals ## [CONFIG=baseline8] [ONLY=ResNet-20] [SECONDS=120]: cycles of layers, beside SCALE-Sim and ZigZag
	@$(HWGEN) side-by-side $(call quote,$(if $(filter file,$(origin CONFIG)),baseline8,$(CONFIG))) \
		--set $(call quote,$(SET)) $(if $(ONLY),--only $(call quote,$(ONLY))) $(if $(SECONDS),--seconds $(call quote,$(SECONDS))) \
		--python $(call quote,$(VENV)/rivals/bin/python) --out $(call quote,$(OUT)/side-by-side.json)

synth: $(VENV)/.hwgen-synth ## TARGET=ecp5|ice40|gowin|xilinx|asic [MODULE= PART= FREQ= TIMING= LIBERTY= SRAM=]: area, clock
	@$(HWGEN) synth $(call quote,$(CONFIG)) --set $(call quote,$(SET)) --target $(call quote,$(TARGET)) \
		$(if $(MODULE),--module $(call quote,$(MODULE))) $(if $(SRAM),--sram $(call quote,$(SRAM))) \
		$(if $(filter-out 0,$(TIMING)),--timing $(if $(PART),--part $(call quote,$(PART))) \
			$(if $(FREQ),--freq $(call quote,$(FREQ)))) \
		$(foreach file,$(LIBERTY),--liberty $(call quote,$(file))) --out $(call quote,$(OUT))

fpga: $(VENV)/.hwgen-synth ## BOARD=ulx3s|orangecrab|icebreaker|... [CONFIG= BAUD= MEMORY= DIVIDE=]: bitstream of a board
	@$(HWGEN) fpga $(call quote,$(CONFIG)) --set $(call quote,$(SET)) --board $(call quote,$(BOARD)) \
		$(if $(BAUD),--baud $(call quote,$(BAUD))) $(if $(MEMORY),--memory $(call quote,$(MEMORY))) \
		$(if $(DIVIDE),--divide $(call quote,$(DIVIDE))) --out $(call quote,$(OUT))

ppa: $(VENV)/.hwgen-models $(VENV)/.hwgen-synth ## [ONLY="cycles/*"] [LIBERTY= SRAM=] [DECLARE="why"]: area, clock, cycles -> docs/results/ppa.json
	@$(HWGEN) ppa $(if $(ONLY),--only $(call quote,$(ONLY))) $(foreach file,$(LIBERTY),--liberty $(call quote,$(file))) \
		$(if $(SRAM),--sram $(call quote,$(SRAM))) $(if $(DECLARE),--declare $(call quote,$(DECLARE)))

energy: $(VENV)/.hwgen-models $(VENV)/.hwgen-synth ## Energy of an image by cause, cgnet8 against baseline8
	@$(HWGEN) energy

tune: $(VENV)/.hwgen-tune ## CONFIG=bitfusion8 [NET=file INPUT=images]: widths for every layer, by accuracy and cycles
	@$(HWGEN) tune $(call quote,$(NET)) $(call quote,$(INPUT)) --config $(call quote,$(CONFIG)) --set $(call quote,$(SET))

train-demo: $(VENV)/.hwgen-models ## DATA=folder: train the small gated Fashion-MNIST network and its ungated twin
	@$(HWGEN) train models/configs/fashion_small.toml --data $(call quote,$(DATA))

lint: $(VENV)/.hwgen-test ## Check style and format (part of the tests)
	@$(VENV)/bin/python -m ruff check .
	@$(VENV)/bin/python -m ruff format --check .

format: $(VENV)/.hwgen-test ## Format the sources
	@$(VENV)/bin/python -m ruff check --fix-only .
	@$(VENV)/bin/python -m ruff format .

lock: ## Renew constraints.txt from pyproject.toml, in a fresh environment
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install -qq --disable-pip-version-check -e ".[test]"
	@sed '/^[^#]/d' constraints.txt > build/lock.txt
	@build/lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' >> build/lock.txt
	@sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml >> build/lock.txt
	@mv build/lock.txt constraints.txt

clean: ## Remove generated Verilog, build folders and caches; keeps .venv
	@rm -rf build .pytest_cache .ruff_cache
	@find $(call quote,$(OUT)) -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +

# Set-up: a stamp for each set of packages, touched last, so that an interrupted set-up starts again.

$(VENV)/.hwgen-core: pyproject.toml constraints.txt
	@if ! $(VENV)/bin/python -m pip --version >/dev/null 2>&1; then \
		if [ -z "$(PYTHON)" ]; then \
			echo "set-up: no Python 3.11 or newer found; install one, or give PYTHON=path" >&2; exit 2; \
		fi; \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
			echo "set-up: PYTHON must be 3.11 or newer, not $(PYTHON)" >&2; exit 2; }; \
		echo "set-up: environment $(VENV)"; \
		$(PYTHON) -m venv --clear $(VENV) || { \
			echo "set-up: $(PYTHON) -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 2; }; \
	fi
	@echo "set-up: core packages"
	@$(PIP) -e .
	@touch $@

# The models of others want versions of their own.
RIVALS := hwgen/bench/rivals/requirements.txt
$(VENV)/.hwgen-rivals: $(VENV)/.hwgen-core $(RIVALS)
	@echo "set-up: SCALE-Sim and ZigZag in $(VENV)/rivals (700 MB)"
	@$(VENV)/bin/python -m venv --clear $(VENV)/rivals
	@$(VENV)/rivals/bin/python -m pip install -qq --disable-pip-version-check -r $(RIVALS)
	@touch $@

$(VENV)/.hwgen-%: $(VENV)/.hwgen-core
	@echo "set-up: packages for $* (the first time this takes minutes)"
	@$(PIP) -e ".[$*]"
	@touch $@
