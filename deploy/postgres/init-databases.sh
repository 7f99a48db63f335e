#!/usr/bin/env bash
# Databases and roles of the services; safe to run again, also on databases of an older release, whose roles owned their schema.
# For each service: a database that <service>_owner owns (`migrate` logs in as it), and a role <service> that may read and
# write rows of this one database and change nothing else. Runs as the superuser (PGHOST, PGUSER, PGPASSWORD); passwords
# come from the environment, <SERVICE>_DATABASE_PASSWORD and DATABASE_OWNER_PASSWORD for the owners, each also as the
# path of a file in the variable <NAME>_FILE.
set -euo pipefail

from_file() { # $1 = variable: set it from the file that $1_FILE names, unless it is set
  local file="$1_FILE"
  [[ -n "${!1:-}" || -z "${!file:-}" ]] || printf -v "$1" %s "$(< "${!file}")"
  [[ -n "${!1:-}" ]] || { echo "databases: $1 (or $file) is missing" >&2; exit 1; }
  export "${1?}"
}
[[ -z "${PGPASSWORD_FILE:-}" ]] || from_file PGPASSWORD   # the superuser may come in by other ways
from_file DATABASE_OWNER_PASSWORD

make_database() { # $1 = service
  local variable="${1^^}_DATABASE_PASSWORD"
  from_file "$variable"
  # psql reads the passwords itself: an argument could be read in the process list, and a failed statement in the log.
  ROLE_PASSWORD="${!variable}" PGOPTIONS="-c log_min_error_statement=panic -c client_min_messages=warning" \
    psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet -d postgres -v name="$1" -v owner="$1_owner" <<'SQL'
\set password `printenv ROLE_PASSWORD`
\set owner_password `printenv DATABASE_OWNER_PASSWORD`
SELECT format('CREATE ROLE %I', wanted) FROM unnest(ARRAY[:'name', :'owner']) AS wanted
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec
ALTER ROLE :"name" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
SELECT format('CREATE DATABASE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
ALTER DATABASE :"name" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC, :"name";
GRANT CONNECT ON DATABASE :"name" TO :"name";
\connect :"name"
REASSIGN OWNED BY :"name" TO :"owner";
REVOKE CREATE ON SCHEMA public FROM PUBLIC, :"name";
GRANT USAGE ON SCHEMA public TO :"name";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"name";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :"name";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"name";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"name";
SQL
}

for service in ${SERVICES:-ingest csat sfdc_sync notifier}; do
  make_database "$service"
done
echo "databases: ${SERVICES:-ingest csat sfdc_sync notifier}: roles and rights are set"
