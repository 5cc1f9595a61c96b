-- The arguments of the text, so that it can be made in the language of whoever reads it. Null in older rows and in rows
-- of older processes: then the text in title and content is shown.
alter table communications_notification add column arguments jsonb;

comment on column communications_notification.title is 'One line, in English; readers may get it in another language.';
comment on column communications_notification.content is 'The text, in English; readers may get it in another language.';
comment on column communications_notification.arguments is 'The arguments of the text; null where only title and content are known.';
