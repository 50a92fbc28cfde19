# Each target is one script or tool. `.ci/python` finds a Python 3.11 or later.
.PHONY: setup lock prepare demo test bench fuzz faults lint zip screenshots pictures window architecture clean

setup: ; @.ci/python .ci/environments.py setup
lock: ; @.ci/python .ci/lock.py
prepare: ; @.ci/python .ci/environments.py prepare
demo:  ; @.ci/python .ci/demo.py $(DEMO)
test:  ; @.ci/python .ci/test.py
bench: ; @.ci/python .ci/bench.py $(BENCH)
fuzz:  ; @.ci/python .ci/fuzz.py $(FUZZ)
faults: ; @.ci/python .ci/faults.py $(FAULTS)
lint:  ; @.ci/python .ci/lint.py
zip:   ; @.ci/python .ci/build_zip.py
screenshots: ; @.ci/python .ci/screenshots.py $(WINDOW)
pictures: ; @.ci/python .ci/pictures.py $(PICTURES)
window: ; @.ci/python .ci/window_session.py $(WINDOW)
architecture: ; @.ci/python -m tools.architecture
clean: ; rm -rf .venv .venv-prepare .venv-blender-* dist demo_out .ruff_cache .pytest_cache .hypothesis
