# Each target does all the set-up that it needs, for example `make demo` in a fresh clone.
PYTHON ?= python3.11
PACKAGES := bazel-bootstrap g++ libpython3.11-dev nlohmann-json3-dev python3.11-venv zlib1g-dev
# Analyses C and C++; counts instructions on the host.
PACKAGES += cppcheck valgrind
# libFuzzer.
PACKAGES += clang-14 libclang-rt-14-dev
# For the emulated boards.
PACKAGES += gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib qemu-system-arm
# For the tests of the report and of WebAssembly.
PACKAGES += chromium

# Needs no Debian package but a C compiler.
CHECK_FLAGS := -std=c11 -O1 -Wall -Wextra -Werror -fsanitize=undefined -fno-sanitize-recover
CLANG_FORMAT := git ls-files '*.c' '*.cc' '*.h' '*.cpp' '*.ino' | xargs .venv/bin/clang-format --dry-run --Werror
QUICK := not slow and not bazel and not board and not train and not tensorflow

.PHONY: check check-python check-kernels check-tests demo test lint fuzz faults dist figures setup clean

# Less than a minute on two cores: style, types, the tests that need neither TensorFlow nor Bazel, and those of the C kernels.
check:
	@test -x .venv/bin/ruff || $(MAKE) setup
	@$(MAKE) --no-print-directory --jobs 2 --output-sync check-python check-kernels check-tests

check-python:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

check-kernels:
	$(CLANG_FORMAT)
	@mkdir -p build/check
	cc $(CHECK_FLAGS) -I. micro/kernels/*.c micro/kernels/*/*.c -o build/check/kernels_test
	build/check/kernels_test

check-tests:
	.venv/bin/python -m pytest --quiet --numprocesses 2 --dist loadfile -m "$(QUICK)"

demo: setup
	.venv/bin/groupcomm demo

test: setup
	.venv/bin/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(CLANG_FORMAT)
	cppcheck --quiet -j2 --error-exitcode=1 --enable=warning,performance,portability,style --inline-suppr --suppressions-list=micro/cppcheck.txt \
	  --std=c11 --std=c++17 -I. micro

# docs/design/trust.md describes these two.
HOURS ?= 1
fuzz: setup
	.venv/bin/python tools/fuzz.py --hours $(HOURS)

faults: setup
	.venv/bin/python tools/faults

# Measures every table of the docs again: hours. The corpus (`groupcomm data`), the packages of the baselines (convert/baselines.txt) and `groupcomm qat` first.
figures: setup
	.venv/bin/python docs/figures.py

# The release, from the last commit, in build/dist: wheel, SBOM, Arduino libraries, Zephyr modules, bundles, checksums.
dist: setup
	.venv/bin/python tools/dist.py

setup: .venv/ready

.venv/ready: pyproject.toml Makefile
	@missing=; for package in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" != 0 ]; then echo "make: missing Debian packages; run: sudo apt-get install --no-install-recommends$$missing" >&2; exit 2; fi; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --disable-pip-version-check --quiet --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build
	-bazel clean --expunge
