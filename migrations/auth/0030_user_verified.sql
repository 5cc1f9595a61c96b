-- Texts exist in Arabic, too; and a user shows by a mail that the e-mail is the own.
alter table users_user drop constraint users_user_locale_check;
alter table users_user add constraint users_user_locale_check check (locale in ('en', 'fr', 'ar')) not valid;
alter table users_user validate constraint users_user_locale_check;
alter table users_user add column email_verified boolean not null default false;

comment on column users_user.email_verified is 'Whether the user has shown that the e-mail is the own.';
