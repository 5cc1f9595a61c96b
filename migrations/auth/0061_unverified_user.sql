-- An address that nobody has shown to be the own within 30 days is given back, with a mail a week before.
alter table users_user
    add column email_since timestamptz,
    add column deletion_announced_at timestamptz;

comment on column users_user.email_since is 'Since when the user has this e-mail; null: since the registration.';
comment on column users_user.deletion_announced_at is 'When a mail said that the user will be deleted, because the e-mail was not verified; null when none did.';
