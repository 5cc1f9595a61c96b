-- One audit row may stand for several times. Processes of the version before write rows without the number.
alter table users_audit add column times integer check (times > 0);

comment on column users_audit.times is 'How often it was done, where one row stands for several times; else null.';
