UV_RUN ?= uv run

.PHONY: fmt lint types layers test check nightly bench lock

fmt:    ; $(UV_RUN) ruff format . && $(UV_RUN) ruff check --fix .
lint:   ; $(UV_RUN) ruff format --check . && $(UV_RUN) ruff check .
types:  ; $(UV_RUN) mypy
layers: ; $(UV_RUN) lint-imports
test:   ; $(UV_RUN) pytest
check:  lint types layers test
nightly: ; $(UV_RUN) pytest --hypothesis-profile=nightly tests/invariants/test_no_leak_at_any_split.py tests/unit/approvals/test_desk_machine.py && $(UV_RUN) --with atheris pytest -m nightly
bench:  ; $(UV_RUN) python benchmarks/throughput.py
lock:   ; uv export --quiet --no-emit-project --all-groups --all-extras --no-header -o requirements.lock && ! grep -n '://' requirements.lock
