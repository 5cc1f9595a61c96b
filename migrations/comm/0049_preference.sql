-- What users do not want to be notified of.
create table communications_preference (
    user_id uuid not null,
    kind    text not null,
    primary key (user_id, kind)
);

comment on table communications_preference is 'The kinds of notifications that users have switched off.';
comment on column communications_preference.user_id is 'The user at auth-service.';
comment on column communications_preference.kind is 'A kind of communications_notification that is not mandatory.';
