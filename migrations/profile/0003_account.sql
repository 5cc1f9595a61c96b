-- What is known of accounts: decides which events about them still count, in whatever order they arrive.
create table profiles_account (
    user_id    uuid primary key,
    version    bigint not null,
    changed_at timestamptz not null,
    erased     boolean not null default false
);

comment on table profiles_account is 'What is known of accounts: decides which events about them still count.';
comment on column profiles_account.user_id is 'The account at auth-service.';
comment on column profiles_account.version is 'The newest version of the account that was applied.';
comment on column profiles_account.changed_at is 'When that version was made; orders events of publishers that count no versions.';
comment on column profiles_account.erased is 'True: the account was deleted. The row outlives it, so that a late event brings nothing back.';

insert into profiles_account (user_id, version, changed_at)
select user_id, 1, created_at from profiles_student
union all
select user_id, 1, created_at from profiles_encadrant;
