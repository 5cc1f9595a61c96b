#!/usr/bin/env bash
# Tests the alert rules with Prometheus's own tool: deploy/prometheus/alerts.test.yml.
#
# Where promtool is missing it comes from the Debian package, unpacked beside the build: nothing is installed and
# no Prometheus is started.
set -euo pipefail
cd "$(dirname "$0")/.."

promtool=$(command -v promtool || echo "$(realpath -m "${CARGO_TARGET_DIR:-target}")/prometheus/usr/bin/promtool")
if [[ ! -x $promtool ]]; then
    dir=${promtool%/usr/bin/promtool}
    mkdir -p "$dir"
    cd "$dir"
    ((UID)) || apt-get -q update >/dev/null
    if ! apt-get -q download prometheus; then
        echo "promtool is missing; try: sudo apt-get update && sudo apt-get install -y --no-install-recommends prometheus" >&2
        exit 1
    fi
    dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb
    cd - >/dev/null
fi
"$promtool" check rules deploy/prometheus/alerts.yml
"$promtool" test rules deploy/prometheus/alerts.test.yml
