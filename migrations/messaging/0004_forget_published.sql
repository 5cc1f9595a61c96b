-- The text of an event is kept until it is published, and no longer: it may name a person.
alter table outbox alter column envelope drop not null;
update outbox set envelope = null where published_at is not null;
alter table outbox add constraint outbox_envelope check (envelope is not null or published_at is not null);

comment on column outbox.envelope is 'What is published, to the letter; null once it is.';
