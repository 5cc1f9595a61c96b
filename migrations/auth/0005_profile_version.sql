-- Which word about the profile is the newest: events arrive in any order.
alter table users_user add column profile_version bigint not null default 0;

comment on column users_user.profile_version is 'The version of the profile that profile_id is of; 0 when none is known.';
