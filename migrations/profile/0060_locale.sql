-- The language of the user, which the events of the profile hand on. Null until an event of auth-service says it.
alter table profiles_student add column locale text;
alter table profiles_encadrant add column locale text;

comment on column profiles_student.locale is 'Copy of the language of texts for the user, such as fr; null when not known.';
comment on column profiles_encadrant.locale is 'Copy of the language of texts for the user, such as fr; null when not known.';
