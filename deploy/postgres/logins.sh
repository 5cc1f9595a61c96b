#!/bin/sh
# Makes the databases and their logins: one of each for every service, and the login of operators. It changes only what
# is missing or different, so it runs before the migrations at every start, on a new volume and on an old one.
#
# psql's own variables (PGHOST, PGPORT, PGUSER) say where PostgreSQL is. Each password is in a variable, or in the file
# that the variable with _FILE names.
set -eu

secret() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$file" ]; then cat "$file"; else printf %s "$value"; fi
}

run() {
    psql -X -v ON_ERROR_STOP=1 -q -d postgres "$@"
}

PGPASSWORD=$(secret POSTGRES_PASSWORD)
export PGPASSWORD PGOPTIONS='-c client_min_messages=warning'

login() { # role, password
    if [ -z "$2" ]; then
        echo "logins.sh: there is no password for $1" >&2
        exit 1
    fi
    # The environment is hidden from other users of the machine, arguments are not.
    LOGIN_PASSWORD=$2 run -v role="$1" <<'SQL'
\getenv password LOGIN_PASSWORD
select format('create role %I login', :'role')
    where not exists (select from pg_roles where rolname = :'role') \gexec
alter role :"role" with login password :'password';
SQL
}

login operator "$(secret OPERATOR_DB_PASSWORD)"
for service in auth profile comm; do
    variable=$(printf %s "$service" | tr '[:lower:]' '[:upper:]')_DB_PASSWORD
    login "${service}_service" "$(secret "$variable")"
    run -v role="${service}_service" -v database="${service}_db" <<'SQL'
select format('create database %I owner %I', :'database', :'role')
    where not exists (select from pg_database where datname = :'database') \gexec
revoke connect, temporary on database :"database" from public;
grant connect on database :"database" to operator;
SQL
done
