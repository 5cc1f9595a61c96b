-- no-transaction
-- Whether an establishment is in use, and the list of its encadrants.
create index concurrently profiles_encadrant_establishment on profiles_encadrant (establishment_id);
