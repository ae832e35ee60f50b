#!/usr/bin/env bash
# Every check there is. Installs what is missing from Debian's packages first.
#
#   tests/run.sh          all checks, well inside an hour on two cores from a cold start
#   tests/run.sh --quick  formatting, lints and tests with default features
#   tests/run.sh --soak   all checks, then long random histories (PROPTEST_CASES=2000)
set -euo pipefail
cd "$(dirname "$0")/.."

mode="${1:-all}"
case "$mode" in all | --quick | --soak) ;; *)
    echo "usage: tests/run.sh [--quick|--soak]; given: $mode" >&2
    exit 2
    ;;
esac

step() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

# Debian's names of the programs that tests talk to.
missing=()
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null || missing+=(prometheus-alertmanager)
command -v chromium >/dev/null || missing+=(chromium)
command -v valgrind >/dev/null || missing+=(valgrind)
if ((${#missing[@]})); then
    step "installing ${missing[*]}"
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    # The packages would start their servers; the tests start their own, on free ports.
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${as_root[@]}" chmod +x /usr/sbin/policy-rc.d
    trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

step "format"
cargo fmt --check

export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
step "lints, every feature"
cargo clippy --quiet --all-targets --all-features -- -D warnings

if [ "$mode" = --quick ]; then
    step "tests"
    cargo test --quiet
    exit
fi

step "lints, feature by feature"
cargo clippy -p plimsoll --quiet --lib --no-default-features -- -D warnings
for feature in tower metrics http prometheus axum; do
    cargo clippy -p plimsoll --quiet --lib --no-default-features --features "$feature" -- -D warnings
done

step "examples"
cargo build --quiet --release --examples

# All targets: the benches too, each of them tried once, with its counts held against the calls it made.
step "tests and benches, every feature"
cargo test --all-features --all-targets 2>&1 | grep -v '^test .* ok$'

step "tests, no feature"
cargo test -p plimsoll --no-default-features --lib --test it --test alloc 2>&1 | grep -v '^test .* ok$'

step "documentation and its examples"
cargo test --quiet --all-features --doc
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --all-features --no-deps

step "instructions a call, under callgrind (benches/README.md says how to update them)"
cargo bench --quiet --bench instructions

step "loom"
RUSTFLAGS="--cfg plimsoll_loom" CARGO_TARGET_DIR=target/loom cargo test -p plimsoll --release --no-default-features --test loom

if command -v cargo-deny >/dev/null; then
    step "licences, bans, sources"
    cargo deny --all-features check licenses bans sources
else
    step "licences, bans, sources: cargo-deny is not installed, skipped"
fi

if [ "$mode" = --soak ]; then
    step "soak"
    PROPTEST_CASES=2000 cargo test --release --all-features --test it -- --nocapture property
fi

step "done"
