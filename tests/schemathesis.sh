#!/usr/bin/env bash
# Sends generated requests, sound and unsound ones, to every operation of the OpenAPI documents, follows the links between
# operations, and holds each answer to its document: no server error, no answer that is not described.
#
#   ./medtrack up --detach && tests/schemathesis.sh [auth|profile|comm]...
#
# SEED repeats a run; EXAMPLES is the number of requests for each operation. The requests change and delete what is there:
# use it on a development machine only. It needs python3 with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
state=${MEDTRACK_STATE:-.medtrack}
[ -f "$state/env" ] || { echo "the system does not run here; try: ./medtrack up --detach" >&2; exit 1; }
# shellcheck disable=SC1091
. "$state/env"
services=("$@")
[ $# -gt 0 ] || services=(auth profile comm)
seed=${SEED:-$RANDOM$RANDOM}
examples=${EXAMPLES:-200}

venv=target/schemathesis
[ -x $venv/bin/schemathesis ] || { python3 -m venv $venv && $venv/bin/pip install --quiet 'schemathesis==4.32.*'; }

export ADMIN_EMAIL=schemathesis.$seed@example.com ADMIN_PASSWORD=schemathesis-$seed-Quartz-Falcon
./medtrack create-admin --email "$ADMIN_EMAIL" <<< "$ADMIN_PASSWORD"
export GATEWAY_URL SCHEMATHESIS_HOOKS=schemathesis_hooks PYTHONPATH=tests
echo "seed $seed, $examples requests for each operation; to repeat: SEED=$seed tests/schemathesis.sh ${services[*]}"
failed=()
for service in "${services[@]}"; do
    $venv/bin/schemathesis --config-file tests/schemathesis.toml run \
        "$GATEWAY_URL/$service/api/docs/openapi.json" --url "$GATEWAY_URL" \
        --seed "$seed" --max-examples "$examples" || failed+=("$service")
done
[ ${#failed[@]} = 0 ] || { echo "documents that are not true: ${failed[*]}" >&2; exit 1; }
