#!/bin/sh
# Runs once, on an empty volume: a database and a role for each service, and no way from one to another.
set -eu

# A password, or the file that holds it.
secret() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$file" ]; then cat "$file"; else printf %s "$value"; fi
}

for service in auth profile comm; do
    case $service in
        auth) password=$(secret AUTH_DB_PASSWORD) ;;
        profile) password=$(secret PROFILE_DB_PASSWORD) ;;
        comm) password=$(secret COMM_DB_PASSWORD) ;;
    esac
    psql -v ON_ERROR_STOP=1 -q -d postgres -U "${POSTGRES_USER:-postgres}" \
        -v role="${service}_service" -v database="${service}_db" -v password="$password" <<'SQL'
create role :"role" login password :'password';
create database :"database" owner :"role";
revoke connect on database :"database" from public;
SQL
done
