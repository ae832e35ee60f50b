#!/usr/bin/env bash
# Instructions a call, counted by gungraun, held against benches/instructions/counts.txt: more than 5 % off, either way,
# fails. `--update` writes that file anew: commit it with the reason.
set -euo pipefail
cd "$(dirname "$0")/.."

for program in valgrind jq; do
    type -P "$program" >/dev/null || { echo "$program is missing (Debian: apt-get install $program)" >&2; exit 1; }
done

# The runner is of the library's version, or it refuses. It starts valgrind and reads what that wrote: unoptimised, it is
# built in half the time.
package=benches/instructions
version=$(sed -n 's/^gungraun = "=\(.*\)"$/\1/p' "$package/Cargo.toml")
CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked --root target/tools "gungraun-runner@=$version"

calls=$(sed -n 's/^const CALLS: u64 = \(.*\);$/\1/p' "$package/main.rs" | tr -d _)
kept=$package/counts.txt
now=target/instructions/counts.txt
mkdir -p target/instructions
status=0
{
    echo "# Instructions a call, the loop around it included; kept by \`tests/instructions.sh --update\`."
    PATH="$PWD/target/tools/bin:$PATH" CARGO_TARGET_DIR="$PWD/target/instructions" \
        cargo bench --quiet --manifest-path "$package/Cargo.toml" -- --output-format=json |
        jq -r --argjson calls "$calls" '.id as $row | .profiles[0].data.total
            | "\(.metrics.Ir.values.new / $calls | round)\t\($row)" + if .regressions == [] then "" else "\tover the limit that main.rs sets" end'
} >"$now" || status=$?
case "$status" in
    0) [ "${1:-}" != --update ] || cp "$now" "$kept" ;;
    3) ;; # a row is over a limit of its own, which no update moves: the table says which
    *) exit "$status" ;;
esac

# Floors are the machine's and other crates': they explain a count, and are not ours to keep. Of a count as small as the
# loop's own, one instruction is more than the tolerance.
awk -F'\t' '
    /^#/ { next }
    FILENAME == ARGV[1] { kept[$2] = $1; next }
    {
        known = $2 in kept
        most = kept[$2] > 20 ? kept[$2] / 20 : 1
        wrong += off = !known || $3 || $2 !~ /^floor/ && ($1 > kept[$2] + most || $1 < kept[$2] - most)
        printf "%8d %8s  %s%s\n", $1, known ? kept[$2] : "new", $2, off ? "  OFF" ($3 ? ", " $3 : "") : ""
        delete kept[$2]
    }
    END {
        for (name in kept) { printf "%8s %8d  %s  OFF\n", "gone", kept[name], name; wrong++ }
        if (wrong) print "Off: " wrong ". If that is meant, tests/instructions.sh --update, and say why in the commit."
        exit wrong > 0
    }' "$kept" "$now"
