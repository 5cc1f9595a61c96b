#!/usr/bin/env bash
# `docker-compose up` as README.md describes it, from an empty machine to `down -v`. Each line printed is a check that passed.
#
# On a machine without a Docker engine it installs one and starts it. Images that cannot be pulled are replaced by
# stand-ins, if the script that builds them is there (../shared/standin-images/build.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'FAILED  %s\n' "$*" >&2; exit 1; }
cannot_run() { # Counts as a failure, unless ALLOW_SKIP=1 is set by hand.
    [[ ${ALLOW_SKIP:-} == 1 ]] || fail "$*"
    printf 'SKIPPED  %s\n' "$*"
    exit 0
}
ok() { printf 'ok  %4d s  %s\n' "$SECONDS" "$*"; }

# --- the engine

if ! command -v dockerd >/dev/null || ! command -v docker-compose >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker.io docker-compose debootstrap >/dev/null
fi
engine=
if ! docker info >/dev/null 2>&1; then
    dockerd >/tmp/medtrack-dockerd.log 2>&1 &
    engine=$!
fi
work=$(mktemp -d)
load=
end() {
    status=$?
    touch "$work/stop"
    [[ -z $load ]] || wait "$load" || true
    if ((status)); then
        docker-compose ps || true
        docker-compose logs --tail=15 2>&1 | tail -n 150 || true
    fi
    docker-compose --profile scale --profile obs down -v --remove-orphans >/dev/null 2>&1 || true
    [[ -z $engine ]] || { kill "$engine" && wait "$engine" || true; }
    rm -rf "$work"
    exit "$status"
}
trap end EXIT
for _ in {1..30}; do docker info >/dev/null 2>&1 && break || sleep 1; done
docker info >/dev/null 2>&1 || cannot_run "no Docker engine can be started here: $(tail -n 1 /tmp/medtrack-dockerd.log)"

images=$(sed -n 's/^FROM \([^ ]*:[^ ]*\).*/\1/p' Dockerfile
    docker-compose config | sed -n 's/^ *image: //p' | grep -v -e '^medtrack:' -e '^grafana/' | sort -u)
stand_ins=../shared/standin-images/build.sh
for image in $images; do
    docker image inspect "$image" >/dev/null 2>&1 || timeout 60 docker pull -q "$image" >/dev/null 2>&1 && continue
    [[ -x $stand_ins ]] || cannot_run "$image can neither be pulled here nor replaced"
    "$stand_ins" "$image" >"$work/images.log" 2>&1 || fail "a stand-in for $image: $(tail -n 3 "$work/images.log")"
done
ok "an engine and the base images"

# --- functions

services=$(docker-compose config --services | grep -e '-service$' | sort)
consumers=$(printf '%s-consumer\n' $services)
all="$services $consumers"

gateway=http://localhost
eventually() { # seconds, what, command…
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < until)) || fail "$what"
        sleep 0.3
    done
    ok "$what"
}
sql() { docker exec postgres psql -U postgres -At -d "$1" -c "$2"; }
# Reads to the end, which `grep -q` does not do: the writer must not be cut off.
has() { [[ -n $(grep "$1") ]]; }
logged() { docker logs "$1" 2>&1 | has "$2"; }
healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; }
register() { # e-mail, password; prints the status
    curl -s -m 20 -o "$work/answer" -w '%{http_code}' -X POST "$gateway/auth/api/v1/register" -H 'Content-Type: application/json' \
        -d "{\"email\": \"$1\", \"password\": \"${2:-SecurePass123!}\", \"first_name\": \"Test\", \"last_name\": \"User\", \"role\": \"student\"}"
}

# Registers new users until $work/stop exists, and writes down each one that was answered with 201. All come from one
# address, so what the limit of an address counts is deleted before each of them.
acknowledged=$work/acknowledged
register_on() {
    local i=0 email
    while [[ ! -e $work/stop ]]; do
        email="load-$((++i))@example.com"
        sql auth_db "delete from users_budget where purpose = 'registrations'" >/dev/null 2>&1 || true
        [[ $(curl -s -m 20 -o /dev/null -w '%{http_code}' -X POST "$gateway/auth/api/v1/register" -H 'Content-Type: application/json' \
            -d "{\"email\": \"$email\", \"password\": \"SecurePass123!\", \"role\": \"student\"}") != 201 ]] || echo "$email" >>"$acknowledged"
        sleep 0.1
    done
}

# Each user that was answered with 201 has exactly one profile and one notification.
nothing_lost() {
    local expected emails
    expected=$(sort -u "$acknowledged" | wc -l)
    emails=$(sed "s/.*/('&')/" "$acknowledged" | paste -sd,)
    [[ $(sql profile_db "select count(*) from profiles_student join (values $emails) as acknowledged (address) on email = address") == "$expected" ]] || return 1
    ids=$(sql profile_db "select string_agg(quote_literal(user_id), ',') from profiles_student join (values $emails) as acknowledged (address) on email = address")
    [[ $(sql comm_db "select count(*) || '/' || count(distinct user_id) from communications_notification where user_id in ($ids)") == "$expected/$expected" ]]
}

# --- up from nothing

docker-compose --profile scale --profile obs down -v --remove-orphans >/dev/null 2>&1 || true
docker-compose build --quiet >"$work/build.log" 2>&1 || fail "the image: $(tail -n 20 "$work/build.log")"
ok "the image builds"
size=$(($(docker image inspect -f '{{.Size}}' medtrack:local) - $(docker image inspect -f '{{.Size}}' "$(sed -n 's/^FROM \(debian:.*\)/\1/p' Dockerfile)")))
((size <= 120 * 1000 * 1000)) || fail "the image is $((size / 1000 / 1000)) MB above its base; 120 are allowed"
ok "the image is $((size / 1000 / 1000)) MB above its base"
began=$SECONDS
docker-compose up -d >"$work/up.log" 2>&1 || fail "docker-compose up: $(tail -n 20 "$work/up.log")"
ok "docker-compose up -d returns after $((SECONDS - began)) s"
for unit in $all; do
    eventually 60 "$unit is healthy" healthy "$unit"
done

# --- the seed's commands

[[ $(register test.user@example.com) == 201 ]] || fail "the seed's registration on port 80: $(cat "$work/answer")"
ok "the seed's registration on port 80"
token=$(sed 's/.*"access_token":"\([^"]*\)".*/\1/' "$work/answer")
inbox() { curl -s -H "Authorization: Bearer $token" "$gateway/comm/api/notifications/"; }
described() { curl -s "$gateway/comm/api/docs/openapi.json" | has '"/comm/api/notifications"'; }
welcomed() { inbox | has 'Hello Test User! Your student profile has been created successfully.'; }
eventually 10 "the welcome is in the inbox" welcomed
[[ $(docker ps --filter name=consumer --format '{{.Names}}' | sort | paste -sd' ') == "$(paste -sd' ' <<<"$consumers")" ]] ||
    fail "docker ps --filter name=consumer"
ok "docker ps --filter name=consumer shows the consumer of each service"
eventually 10 "docker logs auth-service | grep 'Published event'" logged auth-service 'INFO Published event: auth.user.created'
eventually 10 "docker logs profile-service-consumer | grep student" logged profile-service-consumer '✅ Created student profile for user'
eventually 10 "docker logs comm-service-consumer | grep notification" logged comm-service-consumer '✅ Created notification for user'
eventually 10 "docker logs auth-service | grep -i rabbitmq" logged auth-service '[Rr]abbit[Mm][Qq]'
docker exec profile-service profile-service student --email test.user@example.com | has 'Student: .*, Test User' || fail "the look-up of the student"
docker exec comm-service comm-service notifications --latest | has 'Notification: Welcome to MedTrack!' || fail "the look-up of the notification"
ok "the seed's two look-ups print what its shell printed"
eventually 10 "the routes are described" described
page() { curl -sf -H 'Accept: text/html' "$gateway/" | has 'data-service="comm"' && curl -sf "$gateway/start/start.js" | has fetch; }
eventually 10 "the gateway shows browsers its page" page
nothing() { curl -s -H "X-Request-Id: $1" "$gateway/nothing" | has "\"request_id\":\"$1\"" && logged gateway "$1"; }
eventually 10 "the gateway's own answers have a request id, which is in its log" nothing "$(cat /proc/sys/kernel/random/uuid)"
eventually 10 "the management UI lets admin/password in" curl -sf -u admin:password http://localhost:15672/api/queues/%2f/comm.events

# --- the README's table, but for its last line

grep '^|' README.md | grep -o '`docker[^`]*`' | sed 's/[`]//g; s/\\|/|/g' >"$work/commands"
[[ $(tail -n 1 "$work/commands") == "docker-compose down -v" ]] || fail "the README's table ends otherwise"
while read -r command; do
    limit=120
    [[ $command != *" -f "* ]] || limit=3
    timeout "$limit" bash -c "$command" >"$work/said" 2>&1 </dev/null || [[ $? == 124 && $limit == 3 ]] ||
        fail "$command: $(tail -n 5 "$work/said")"
    [[ -s $work/said ]] || fail "$command says nothing"
    ok "$command"
done < <(head -n -1 "$work/commands")
eventually 30 "all are healthy after it" healthy comm-service-consumer

# --- what is bounded

for unit in $services; do
    for other in $services; do
        [[ $unit == "$other" ]] && continue
        short=${unit%-service}
        docker exec -e PGPASSWORD="$short" postgres psql -h 127.0.0.1 -U "${short}_service" -d "${other%-service}_db" -c 'select 1' >/dev/null 2>&1 &&
            fail "$unit can read the database of $other"
    done
done
ok "no service can read another's database"
for unit in $all; do
    [[ $(docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}' "$unit") == "10001:10001 true [ALL]" ]] ||
        fail "$unit is not confined"
done
ok "services run as an unprivileged user, read-only, without capabilities"
[[ -z $(docker ps --format '{{.Ports}}' | grep -o '0\.0\.0\.0:[0-9]*' | grep -v ':80$') ]] || fail "more than the gateway is published"
ok "only the gateway is published beyond this machine"

# --- what is watched

docker-compose --profile obs up -d prometheus >"$work/obs.log" 2>&1 || fail "Prometheus: $(tail -n 5 "$work/obs.log")"
# The README's command has started two extra consumers.
targets=$(($(wc -w <<<"$all") + 2 + 1))
watched() { [[ $(curl -s 'http://localhost:9090/api/v1/query?query=sum(up)' | grep -o '"[0-9]*"\]') == "\"$targets\"]" ]]; }
eventually 60 "Prometheus reads every process, the two extra ones, and RabbitMQ" watched
firing() { curl -s 'http://localhost:9090/api/v1/query?query=ALERTS%7Balertstate=%22firing%22%7D' | grep -o '"alertname":"[^"]*"' | sort -u; }
only_watchdog() { [[ $(firing) == '"alertname":"Watchdog"' ]]; }
eventually 15 "of the alerts, only Watchdog fires" only_watchdog

# --- faults, under registrations

register_on &
load=$!
eventually 20 "registrations go on" test -s "$acknowledged"
for unit in profile-service-consumer comm-service-consumer; do
    docker kill "$unit" >/dev/null
    docker start "$unit" >/dev/null
    eventually 30 "$unit is back after a kill" healthy "$unit"
done
docker-compose restart profile-service-consumer comm-service-consumer auth-service >/dev/null 2>&1
for unit in profile-service-consumer comm-service-consumer auth-service; do
    eventually 30 "$unit is back after a restart" healthy "$unit"
done
docker-compose stop rabbitmq >/dev/null 2>&1
[[ $(register no.broker@example.com) == 201 ]] || fail "registration without a broker: $(cat "$work/answer")"
echo no.broker@example.com >>"$acknowledged"
ok "registration does not need RabbitMQ"
docker-compose start rabbitmq >/dev/null 2>&1
eventually 90 "consumers are back after RabbitMQ" healthy comm-service-consumer
docker-compose stop postgres >/dev/null 2>&1
docker-compose start postgres >/dev/null 2>&1
registers() { [[ $(register "$RANDOM$RANDOM@example.com") == 201 ]]; }
eventually 60 "registration is back after PostgreSQL" registers
docker-compose --profile scale up -d --scale comm-extra=2 comm-extra >"$work/scale.log" 2>&1 || fail "scaling: $(tail -n 5 "$work/scale.log")"
three() { [[ $(curl -s -u admin:password http://localhost:15672/api/queues/%2f/comm.events | sed 's/.*"consumers":\([0-9]*\).*/\1/') == 3 ]]; }
eventually 60 "three consumers share comm.events" three
touch "$work/stop"
wait "$load" && load=
eventually 60 "nothing lost, nothing doubled: $(sort -u "$acknowledged" | wc -l) registrations" nothing_lost
[[ $(sql profile_db 'select count(*) from parked_event')$(sql comm_db 'select count(*) from parked_event') == 00 ]] || fail "events are parked"
ok "nothing is parked"
[[ $(register proof.of.life@example.com) == 201 ]] || fail "a registration now: $(cat "$work/answer")"
token=$(sed 's/.*"access_token":"\([^"]*\)".*/\1/' "$work/answer")
eventually 10 "a registration now is welcomed (proof of life)" welcomed

# --- down

began=$SECONDS
docker-compose --profile scale --profile obs stop >/dev/null 2>&1
for unit in $all; do
    [[ $(docker inspect -f '{{.State.ExitCode}}' "$unit") == 0 ]] || fail "$unit did not stop cleanly: $(docker logs --tail=5 "$unit" 2>&1)"
done
ok "docker-compose stop: all services ended cleanly, within $((SECONDS - began)) s"
docker-compose --profile scale --profile obs down -v >/dev/null 2>&1
gone() { [[ -z $(docker volume ls -q --filter name=_postgres) ]] || fail "down -v left data"; }
gone
ok "docker-compose down -v leaves nothing"

# --- production

refused=$(docker run --rm -e MEDTRACK_ENV=production -e DATABASE_URL=postgres://auth_service:auth@postgres:5432/auth_db \
    medtrack:local auth-service migrate 2>&1) && fail "production accepts a development password"
has 'DATABASE_URL has a well-known password' <<<"$refused" || fail "the refusal of a development password: $refused"
ok "production refuses a development password"
export SECRETS=$work/secrets
./medtrack secrets "$SECRETS" >/dev/null
production() { docker-compose -f docker-compose.yml -f docker-compose.production.yml "$@"; }
production up -d >"$work/up.log" 2>&1 || fail "production: $(tail -n 20 "$work/up.log")"
for unit in $all; do
    eventually 60 "$unit is healthy in production" healthy "$unit"
done
[[ $(curl -s -o /dev/null -w '%{redirect_url}' "$gateway/auth/") == https://localhost/* ]] || fail "port 80 leads elsewhere than to TLS"
gateway=https://localhost
curl() { command curl -k "$@"; } # The certificate is the gateway's own.
[[ $(register test.user@example.com) == 400 ]] || fail "production accepts a password of 14 characters"
has 'Use at least 15 characters' <"$work/answer" || fail "the refusal of a short password: $(cat "$work/answer")"
[[ $(register test.user@example.com 'a long SecurePass123!') == 201 ]] || fail "a registration over TLS: $(cat "$work/answer")"
token=$(sed 's/.*"access_token":"\([^"]*\)".*/\1/' "$work/answer")
eventually 10 "a registration over TLS is welcomed" welcomed
docker inspect -f '{{.Config.Env}} {{.Config.Cmd}}' $all rabbitmq postgres >"$work/inspected"
while read -r -d '' secret; do
    grep -qF -e "$(cat "$secret")" "$work/inspected" && fail "the containers' settings show $(basename "$secret")"
done < <(find "$SECRETS" -type f ! -name '*.json' ! -name mail_url -print0) # mail_url says none
ok "the containers' settings show no secret"
[[ $(docker exec rabbitmq rabbitmqctl -q list_users | cut -f1 | grep -c '^admin$') == 0 ]] || fail "RabbitMQ has the development login"
ok "RabbitMQ has no login admin"
production down -v >/dev/null 2>&1
gone
ok "production down -v leaves nothing"
