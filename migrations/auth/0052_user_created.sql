-- no-transaction
-- The list of users, newest first.
create index concurrently users_user_created on users_user (created_at, id);
