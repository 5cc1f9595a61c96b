-- no-transaction
-- Whether a hospital service is in use, and the list of its encadrants.
create index concurrently profiles_encadrant_service on profiles_encadrant (service_id);
