-- Run once by an administrator in the database that is to hold the ledger, before the first `nextbest migrate`.
-- Two roles: the owner makes and changes tables, the application only reads and writes their rows.
-- Then give both a password: \password nextbest_owner and \password nextbest_app
CREATE ROLE nextbest_owner LOGIN;
CREATE ROLE nextbest_app LOGIN;
CREATE SCHEMA nextbest AUTHORIZATION nextbest_owner;
ALTER ROLE nextbest_owner SET search_path = nextbest;
ALTER ROLE nextbest_app SET search_path = nextbest;
GRANT USAGE ON SCHEMA nextbest TO nextbest_app;
ALTER DEFAULT PRIVILEGES FOR ROLE nextbest_owner IN SCHEMA nextbest
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO nextbest_app;
ALTER DEFAULT PRIVILEGES FOR ROLE nextbest_owner IN SCHEMA nextbest
  GRANT USAGE, SELECT ON SEQUENCES TO nextbest_app;
