#!/bin/sh
# Run once by the image of PostgreSQL, in an empty volume: the role, its database and the extension.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/vibe_password)" --username postgres --dbname vibe <<'SQL'
CREATE ROLE vibe LOGIN CREATEROLE PASSWORD :'password';
ALTER DATABASE vibe OWNER TO vibe;
CREATE EXTENSION vector;
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
SQL
