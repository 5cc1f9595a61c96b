-- What orders events of publishers that count no versions, field by field. Null for everybody else, so that the
-- ordinary row does not grow. Rows of before count as described by a publisher that counts versions: events of other
-- publishers about them are parked until an operator replays them.
alter table profiles_account add column stamps jsonb;

comment on column profiles_account.version is 'The newest version of the user that was applied; the profile''s version is no lower.';
comment on column profiles_account.changed_at is 'The time of the newest change.';
comment on column profiles_account.erased is 'True: the user was deleted. The row outlives the user, so that a late event brings nothing back.';
comment on column profiles_account.stamps is 'What set each field: a version, or the time and the id of an event. Null: all were set by version.';
comment on column profiles_student.id is 'The profile; UUIDv5 of user and role, UUIDv7 for older profiles.';
comment on column profiles_encadrant.id is 'The profile; UUIDv5 of user and role, UUIDv7 for older profiles.';
