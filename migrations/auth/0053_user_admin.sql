-- no-transaction
-- The administrators who can log in: one must remain.
create index concurrently users_user_admin on users_user (id) where role = 'admin' and is_active;
