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
# What hangs is ended, and says so, before CI's own patience ends.
bounded() { timeout -k 10 1500 "$@"; }

# Programs that tests talk to, and Debian's names of their packages. Files, not builtins: tests run them.
missing=()
need() { type -P "$1" >/dev/null || missing+=("$2"); }
need prometheus prometheus
need promtool prometheus
need amtool prometheus-alertmanager
need chromium chromium
need valgrind valgrind
need jq jq
need kill procps
need curl curl
need npm npm
need shellcheck shellcheck
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if ((${#missing[@]})); then
    step "installing ${missing[*]}"
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    # The packages would start their servers; the tests start their own, on free ports.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
        "${as_root[@]}" chmod +x /usr/sbin/policy-rc.d
        trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

step "format"
cargo fmt --all --check
for package in instructions peers; do cargo fmt --check --manifest-path "benches/$package/Cargo.toml"; done

export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
step "lints, every feature"
cargo clippy --quiet --all-targets --all-features -- -D warnings

if [ "$mode" = --quick ]; then
    step "tests"
    bounded cargo test --quiet -p plimsoll
    exit
fi

step "lints, feature by feature"
cargo clippy -p plimsoll --quiet --lib --no-default-features -- -D warnings
for feature in tower metrics http prometheus axum retry artifacts sim; do
    cargo clippy -p plimsoll --quiet --lib --no-default-features --features "$feature" -- -D warnings
done

step "examples"
cargo build --quiet --release --examples

# All targets: the benches too, each of them tried once, with its counts held against the calls it made. What goes by
# real time, a Prometheus that scrapes and a story that is told, has the machine to itself afterwards.
real_time=(prometheus::prometheus_and_the_process artifacts_agree:: artifacts_grafana::live:: artifacts_incident::
    artifacts_messages:: storefront:: examples::)
step "tests and benches, every feature"
skip=()
for test in "${real_time[@]}"; do skip+=(--skip "$test"); done
bounded cargo test -p plimsoll --all-features --lib --benches
bounded cargo test -p plimsoll --all-features --test it --test alloc -- "${skip[@]}" 2>&1 | grep -v '^test .* ok$'

step "tests against real time, every feature"
bounded cargo test -p plimsoll --all-features --test it -- --test-threads=1 "${real_time[@]}"

step "tests, no feature"
bounded cargo test -p plimsoll --no-default-features --lib --test it --test alloc 2>&1 | grep -v '^test .* ok$'

step "documentation and its examples"
bounded cargo test --quiet -p plimsoll --all-features --doc
RUSTDOCFLAGS="-D warnings" cargo doc --quiet -p plimsoll --all-features --no-deps

step "dashboards against Grafana's types"
bounded tests/dashboards.sh

step "the README's first use, as a newcomer types it"
tests/newcomer.sh

step "instructions a call, under callgrind (benches/README.md says how to update them)"
bounded tests/instructions.sh

step "loom"
RUSTFLAGS="--cfg plimsoll_loom" CARGO_TARGET_DIR=target/loom \
    bounded cargo test -p plimsoll --release --no-default-features --test loom

if type -P cargo-deny >/dev/null; then
    step "licences, bans, sources"
    cargo deny --all-features check licenses bans sources
else
    step "licences, bans, sources: cargo-deny is not installed, skipped"
fi

if [ "$mode" = --soak ]; then
    step "soak"
    PROPTEST_CASES=2000 PROPTEST_RNG_SEED=$RANDOM bounded cargo test -p plimsoll --release --all-features --test it -- --nocapture property
fi

step "done"
