-- no-transaction
-- The users whose e-mail is not verified, of whom there are few.
create index concurrently users_user_unverified on users_user (coalesce(email_since, created_at))
    where not email_verified and role <> 'admin';
