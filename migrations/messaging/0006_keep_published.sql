-- A published event keeps its text for three days, so that it can be published again where the broker lost it.
-- Columns without a default: no row is written anew, and a process of the version before goes on.
alter table outbox
    add column refused_at timestamptz,
    add column erased_at  timestamptz;
-- Every row is updated once, soon after it was inserted: room for the new version on the same page halves what the
-- update writes to the log.
alter table outbox set (fillfactor = 50);

comment on column outbox.envelope is 'What is published, to the letter; null once it is erased.';
comment on column outbox.created_at is 'When the change was written, or when the event was marked for publishing again.';
comment on column outbox.refused_at is 'When the broker last refused it, for example for want of a topic permission.';
comment on column outbox.erased_at is 'When what it is about was erased: after it is published, its text goes, or of a deletion the e-mail.';
