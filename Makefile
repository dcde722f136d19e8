# Everything goes through ./bootstrap, which needs no make; these are the usual names for it.
.PHONY: help demo test env lint wheel bench clean

help:           ## this list
	@sed -n 's/^\([a-z]*\): .*## /\1\t/p' Makefile
demo:           ## convert for every phone target and restore sample faces
	./bootstrap demo
test:           ## lint, types, tests
	./bootstrap test
env:            ## set up .venv and the TFLite environment
	./bootstrap env
lint:           ## lint and types only
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
wheel:          ## build the wheel and the sdist into dist/
	.venv/bin/python -m build
bench:          ## the benchmarks that back the figures in docs/decisions.md
	.venv/bin/python benchmarks/executorch_vs_onnxruntime.py
	.venv/bin/python benchmarks/training_step.py
clean:          ## remove what was made, but the environments
	rm -rf build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache
