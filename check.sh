#!/usr/bin/env bash
# Everything that must hold before a commit: format, lints, tests, documents.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }

if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs" >&2
    exit 1
fi
# What the tests start: a compiler for bundled SQLite and zstd, a broker and databases, Python for
# libraries that know nothing of weir, and a browser with what it asks pages by.
missing=()
need() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
need cc build-essential
need mosquitto mosquitto
need mosquitto_pub mosquitto-clients
need victoria-metrics victoria-metrics
need influxd influxdb
need prometheus-alertmanager prometheus-alertmanager
need faketime faketime
need chromium chromium
need chromedriver chromium-driver
need npm npm
fc-list :lang=zh 2>/dev/null | grep -q . || missing+=(fontconfig fonts-noto-cjk)
/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || missing+=(python3-aiosmtpd)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "missing: ${missing[*]} (names of Debian packages); install them with this system's" \
            "package manager" >&2
        exit 1
    fi
    step "installing ${missing[*]}"
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    $sudo apt-get update
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        "${missing[@]}"
fi
if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    rustup component add rustfmt clippy
fi

step "format"
cargo fmt --check
step "lints"
cargo clippy --locked --all-targets -- -D warnings
step "libraries of another language"
tests/libraries/install
step "what pages are asked by"
tests/browser/install
step "tests"
cargo test --locked
step "documents"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
step "the example installation"
cargo run --locked --quiet -- check --config config/weir.toml
