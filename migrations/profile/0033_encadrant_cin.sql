-- no-transaction
create unique index concurrently profiles_encadrant_cin on profiles_encadrant (cin);
