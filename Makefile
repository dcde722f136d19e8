# Everything goes through ./bootstrap, which needs no make; these are the usual names for it.
.PHONY: help demo test env check lint docs wheel bench release fuzz kills android-assets android-apk android-check ios-assets ios-check web web-check libraries clean

FACES ?= ../shared/faces
SECONDS ?= 60

help:           ## this list
	@sed -n 's/^\([a-z-]*\): .*## /\1\t/p' Makefile
demo:           ## convert for every phone target and restore sample faces
	./bootstrap demo
test:           ## lint, types, tests
	./bootstrap test
env:            ## set up .venv and the TFLite environment
	./bootstrap env
check:          ## before a commit, in two minutes: lint, types, tests that convert and train nothing
check: lint
	OMP_NUM_THREADS=1 .venv/bin/pytest --numprocesses 2 --dist worksteal -m "not long and not slow and not tflite and not chromium"
lint:           ## lint and types only
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy
docs:           ## the documentation as a site, into build/docs
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict
wheel:          ## build the wheel and the sdist into dist/, and the two wheels to publish into dist/apart/
	rm -rf build dist && .venv/bin/python -m build
	.venv/bin/python tools/split_wheel.py dist/edgesr-*.whl dist/apart
fuzz:           ## damaged files for every reader of ours: make fuzz SECONDS=60
	.venv/bin/python tests/fuzz_formats.py --seconds $(SECONDS)
kills:          ## every way of writing, killed at each system call that writes
	.venv/bin/python tests/test_kill_points.py
bench:          ## the benchmarks that back the figures in docs/decisions.md
	.venv/bin/python benchmarks/executorch_vs_onnxruntime.py
	.venv/bin/python benchmarks/training_step.py
release:        ## after a retraining: make release WEIGHTS=runs/mine [NETWORK=hime-small-x4-photo] [MORE="--limit 40"]
	.venv/bin/python tools/release.py --faces $(FACES) $(if $(NETWORK),--network $(NETWORK)) \
		$(if $(WEIGHTS),--weights $(WEIGHTS)) $(MORE)
android-assets: ## the app's models and test vectors: make android-assets [NETWORK=hime-small-x8-photo, or a checkpoint's folder]
	.venv/bin/python android_demo/tools/assets.py $(if $(NETWORK),--network $(NETWORK))
android-apk:    ## a signed debug APK on plain Linux
android-apk: android-assets
	.venv/bin/python android_demo/tools/build.py apk
android-check:  ## build the APK, verify it, run the app's tests, take its screenshots
android-check: android-assets
	.venv/bin/python android_demo/tools/build.py check
ios-assets:     ## the iPhone app's Core ML models and test vectors: make ios-assets [NETWORK=hime-small-x8-photo, or a folder]
	.venv/bin/python ios_demo/tools/assets.py $(if $(NETWORK),--network $(NETWORK))
ios-check:      ## the iPhone app without a Mac: format, Swift 6, the core's and the screens' tests, the project's files
	.venv/bin/python ios_demo/tools/check.py $(if $(NETWORK),--network $(NETWORK))
web:            ## the web booth's page, into edgesr/booth/site
	.venv/bin/python web_demo/tools/build.py
web-check:      ## build the page, check it, run its tests in a real browser
	.venv/bin/python web_demo/tools/check.py
libraries:      ## the booths' engines as libraries for other apps, into dist/libraries
	.venv/bin/python android_demo/tools/library.py || [ $$? -eq 3 ]
	.venv/bin/python web_demo/tools/library.py || [ $$? -eq 3 ]
	.venv/bin/python ios_demo/tools/library.py
clean:          ## remove what was made, but the environments
	rm -rf build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache
