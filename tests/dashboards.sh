#!/usr/bin/env bash
# Every dashboard among the golden files, held against Grafana's public types (npm's @grafana/schema) by their compiler.
# What it needs is installed once, under target/.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=target/dashboards
mkdir -p "$folder"
cp tests/dashboards/schema.ts tests/dashboards/package.json "$folder/"
if ! cmp -s tests/dashboards/package-lock.json "$folder/package-lock.json" || [ ! -e "$folder/installed" ]; then
    rm -f "$folder/installed"
    cp tests/dashboards/package-lock.json "$folder/"
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    touch "$folder/installed"
fi

rm -f "$folder"/dashboard-*.ts
n=0
for file in tests/golden/*/grafana/*.json; do
    n=$((n + 1))
    {
        printf '// %s\nimport type { Dashboard } from "./schema";\nexport const dashboard: Dashboard = ' "$file"
        cat "$file"
    } >"$folder/dashboard-$n.ts"
done
[ "$n" -gt 3 ] || { echo "no dashboards under tests/golden" >&2; exit 1; }

"$folder/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler \
    "$folder"/schema.ts "$folder"/dashboard-*.ts
echo "$n dashboards are what Grafana's types say"
