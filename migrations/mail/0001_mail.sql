-- Mails, each committed with the change that it is about. Neither a rendered text nor the secret of a link stands here: a
-- worker renders a mail and draws its secret each time it sends it.
create table mail (
    id           uuid primary key,
    user_id      uuid not null,
    kind         text not null,
    recipient    text,
    language     text not null,
    arguments    jsonb,
    state        text not null default 'queued'
                 check (state in ('queued', 'sending', 'sent', 'failed', 'unknown')),
    created_at   timestamptz not null default now(),
    due_at       timestamptz not null default now(),
    tries        integer not null default 0,
    unanswered   integer not null default 0,
    leased_until timestamptz,
    data_at      timestamptz,
    failure      text,
    reason       text,
    finished_at  timestamptz,
    resends      integer not null default 0,
    resent_by    text
);
create index mail_due on mail (due_at) where state in ('queued', 'unknown');
create index mail_leased on mail (leased_until) where state = 'sending';
create index mail_finished on mail (finished_at) where recipient is not null;
create index mail_created on mail (created_at);
create index mail_user on mail (user_id);

comment on table mail is 'Mails: what is to be sent, to whom, and what became of it; kept for 30 days.';
comment on column mail.id is 'UUIDv7. The Message-ID is derived from it and from resends.';
comment on column mail.user_id is 'The user whom the mail is about. The erasure of the user deletes the row.';
comment on column mail.kind is 'Which mail it is, such as verification.';
comment on column mail.recipient is 'The e-mail address; null from a day after the mail was sent.';
comment on column mail.language is 'The language of its text: en, fr or ar.';
comment on column mail.arguments is 'What its text says besides; null from a day after the mail was sent.';
comment on column mail.state is 'queued: waits for due_at. sending: a worker has it. sent: the server accepted it. failed: it is not tried again; see failure. unknown: the server got the whole mail and did not answer, so the mail may have arrived; it is tried again at due_at.';
comment on column mail.created_at is 'When the change was made.';
comment on column mail.due_at is 'Not tried before.';
comment on column mail.tries is 'How often it was tried since it was written or last resent.';
comment on column mail.unanswered is 'How many tries ended without an answer to the whole mail: so many copies may have arrived besides.';
comment on column mail.leased_until is 'Until then the worker that sends it owns the row; null unless sending.';
comment on column mail.data_at is 'When the worker began to send the text; null before.';
comment on column mail.failure is 'Why the last try did not succeed, in one word.';
comment on column mail.reason is 'The same as a sentence, with the words of the mail server; null from a day after the mail was sent.';
comment on column mail.finished_at is 'When it was sent or failed.';
comment on column mail.resends is 'How often an operator had it sent again.';
comment on column mail.resent_by is 'The operator who did it last.';

-- An operator reads everything but the arguments, and makes a row due again.
do $$
begin
    if exists (select from pg_roles where rolname = 'operator') then
        grant select (id, user_id, kind, recipient, language, state, created_at, due_at, tries, unanswered, leased_until,
                      data_at, failure, reason, finished_at, resends, resent_by) on mail to operator;
        grant update (state, due_at, tries, leased_until, data_at, failure, reason, finished_at, resends, resent_by)
            on mail to operator;
    end if;
end
$$;
