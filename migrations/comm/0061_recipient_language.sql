-- The language that the user has chosen at auth-service, for readers who name none. Null until an event says it.
alter table communications_recipient add column language text;

comment on column communications_recipient.language is 'The language of the user: en, fr or ar; null when not known, and after a deletion.';
