-- Establishments (hospitals, clinics, universities), and their hospital services.
create table profiles_establishment (
    id         uuid primary key,
    code       text unique,
    name       text not null,
    type       text,
    wilaya     text,
    city       text,
    address    text,
    email      text,
    phone      text,
    metadata   jsonb not null default '{}',
    version    bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table profiles_service (
    id               uuid primary key,
    establishment_id uuid not null references profiles_establishment (id),
    name             text not null,
    description      text,
    capacity         integer,
    metadata         jsonb not null default '{}',
    version          bigint not null default 1,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now()
);

-- No two services of an establishment have the same name, in any case.
create unique index profiles_service_name on profiles_service (establishment_id, lower(name));

comment on table profiles_establishment is 'Hospitals, clinics and universities.';
comment on column profiles_establishment.id is 'UUIDv7.';
comment on column profiles_establishment.code is 'Unique; null when there is none.';
comment on column profiles_establishment.name is 'Never empty.';
comment on column profiles_establishment.type is 'What it is, such as CHU; null when not known.';
comment on column profiles_establishment.wilaya is 'The province; null when not known.';
comment on column profiles_establishment.city is 'Null when not known.';
comment on column profiles_establishment.address is 'The postal address; null when not known.';
comment on column profiles_establishment.email is 'As it was written; null when not known.';
comment on column profiles_establishment.phone is 'As it was written; null when not known.';
comment on column profiles_establishment.metadata is 'A JSON object of the clients; no service reads it.';
comment on column profiles_establishment.version is 'Raised by every change: the aggregate_version of establishment.* events.';
comment on column profiles_establishment.created_at is 'When it was created.';
comment on column profiles_establishment.updated_at is 'When it last changed.';

comment on table profiles_service is 'Hospital services: the departments of establishments.';
comment on column profiles_service.id is 'UUIDv7.';
comment on column profiles_service.establishment_id is 'The establishment that it belongs to.';
comment on column profiles_service.name is 'Unique in the establishment.';
comment on column profiles_service.description is 'What it does; null when not known.';
comment on column profiles_service.capacity is 'How many students it takes at a time; null when not known.';
comment on column profiles_service.metadata is 'A JSON object of the clients; no service reads it.';
comment on column profiles_service.version is 'Raised by every change: the aggregate_version of service.* events.';
comment on column profiles_service.created_at is 'When it was created.';
comment on column profiles_service.updated_at is 'When it last changed.';
