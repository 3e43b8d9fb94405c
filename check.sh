#!/usr/bin/env bash
# Everything that must hold before a commit: format, lints, tests, documents.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }

if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs" >&2
    exit 1
fi
if ! command -v cc >/dev/null; then
    if command -v apt-get >/dev/null; then
        step "installing a C compiler (bundled SQLite and zstd need one)"
        sudo=""
        [ "$(id -u)" -eq 0 ] || sudo="sudo"
        $sudo apt-get update
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y build-essential
    else
        echo "cc is missing: install a C compiler with this system's package manager" >&2
        exit 1
    fi
fi
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    rustup component add rustfmt clippy
fi

step "format"
cargo fmt --check
step "lints"
cargo clippy --locked --all-targets -- -D warnings
step "tests"
cargo test --locked
step "documents"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
step "the example installation"
cargo run --locked --quiet -- check --config config/weir.toml
