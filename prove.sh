#!/usr/bin/env bash
# The long forms of the proof, one after the other and each to its end: some hours. `./check.sh`
# runs their short forms. What they print goes into docs/promise.md and docs/performance.md.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }
test() { cargo test --locked --test "$@" -- --nocapture --test-threads 1; }

step "a thousand kills"
WEIR_CRASH_ROUNDS=${WEIR_CRASH_ROUNDS:-1000} test faults a_kill
step "faults drawn together; WEIR_FAULTS_SEED repeats a run"
export WEIR_FAULTS_SEED=${WEIR_FAULTS_SEED:-$RANDOM$RANDOM}
WEIR_FAULTS_ROUNDS=${WEIR_FAULTS_ROUNDS:-500} test faults drawn_together
WEIR_FAULTS_ROUNDS=${WEIR_FAULTS_ROUNDS:-500} test sink_faults drawn_together
step "random journals against a model, and torn ones"
PROPTEST_CASES=${PROPTEST_CASES:-2000} test journal_model
PROPTEST_CASES=${PROPTEST_CASES:-2000} test torn
step "what is said of past days, and what checks show of them"
PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-$RANDOM$RANDOM} test recompute
step "random bytes; \`fuzz/run TARGET\` searches on, guided by coverage, until it is stopped"
WEIR_FUZZ_RUNS=${WEIR_FUZZ_RUNS:-200000} test fuzz
step "simulated days"
WEIR_SOAK_HOURS=${WEIR_SOAK_HOURS:-240} test soak
step "what a message costs"
cargo bench --locked --bench path
