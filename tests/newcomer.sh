#!/usr/bin/env bash
# Types the README's first use into a crate of its own, runs it, and scrapes it.
set -euo pipefail
cd "$(dirname "$0")/.."

crate=target/newcomer
mkdir -p "$crate/src"
port=$((20000 + RANDOM % 20000))
# The first block of TOML and the first of Rust, as they stand; but for the place of the crate, and the port.
block() { awk -v fence="^\`\`\`$1" '$0 ~ fence && !done { on = 1; next } /^```/ && on { on = 0; done = 1 } on' README.md; }
{
    printf '[package]\nname = "newcomer"\nversion = "0.1.0"\nedition = "2024"\n\n[workspace]\n\n'
    block toml | sed "s#plimsoll = { version = \"0.1\"#plimsoll = { path = \"$PWD\"#"
} >"$crate/Cargo.toml"
block rust | sed "s/:3000/:$port/" >"$crate/src/main.rs"
[ -s "$crate/src/main.rs" ] || { echo "README.md has no first use" >&2; exit 1; }

CARGO_TARGET_DIR=target/newcomer/target cargo build --quiet --manifest-path "$crate/Cargo.toml"
"$crate/target/debug/newcomer" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT

url="http://127.0.0.1:$port"
metrics=$(curl --silent --show-error --fail --retry 20 --retry-delay 1 --retry-connrefused "$url/metrics")
has() { grep -qF "$1" <<<"$2" || { printf 'no %s in\n%s\n' "$1" "$2" >&2; exit 1; }; }
# The first scrape, before the first request.
has 'plimsoll_events_total{slo="checkout",objective="success",verdict="good"} 0' "$metrics"
curl --silent --show-error --fail --request POST "$url/checkout" >/dev/null
has 'plimsoll_events_total{slo="checkout",objective="latency",verdict="good"} 1' "$(curl --silent --fail "$url/metrics")"
has 'SLO checkout' "$(curl --silent --fail "$url/slo")"
echo "the first use compiles as typed, and its first scrape shows the SLO"
