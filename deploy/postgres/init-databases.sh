#!/usr/bin/env bash
# A database and a role for each service. PostgreSQL's image runs this once, when its volume is empty.
# A role owns its database and can reach no other one.
set -euo pipefail

make_database() { # $1 = service, $2 = its password
  psql -v ON_ERROR_STOP=1 --no-psqlrc -U "${POSTGRES_USER:-postgres}" -d postgres -v name="$1" -v password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

make_database ingest "$INGEST_DATABASE_PASSWORD"
make_database csat "$CSAT_DATABASE_PASSWORD"
make_database sfdc_sync "$SFDC_SYNC_DATABASE_PASSWORD"
make_database notifier "$NOTIFIER_DATABASE_PASSWORD"
