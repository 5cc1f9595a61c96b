//! How the domain's values are read from the fields of a body, and how the OpenAPI document describes them.

use crate::domain::{
    Email, Locale, Password, PersonName, Phone,
    email::NotAnEmail,
    password::{MAX_LENGTH, WeakPassword, min_length},
};
use chrono::{DateTime, Utc};
use events::Role;
use service_kit::http::body::{Field, Object, Text, nullable, one_of, text_schema};
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat};

/// A password that the user has; only its length is limited.
#[derive(Debug)]
pub(super) struct ClaimedPassword(pub(super) Password);

/// A new password, which must not be made of the other fields.
#[derive(Debug)]
pub(super) struct NewPassword(pub(super) Password);

/// A new password that is judged later, together with what is known of the user.
#[derive(Debug)]
pub(super) struct ProposedPassword(pub(super) Password);

/// A telephone number; an empty text is none.
#[derive(Debug)]
pub(super) struct OptionalPhone(pub(super) Option<Phone>);

/// A new password that may be absent.
#[derive(Debug)]
pub(super) struct OptionalPassword(pub(super) Option<Password>);

/// A role that people may register with, by its name.
#[derive(Debug)]
pub(super) struct RoleName(pub(super) Role);

/// A time, as RFC 3339 writes it.
#[derive(Debug)]
pub(super) struct Time(pub(super) DateTime<Utc>);

/// Any role, by its name.
#[derive(Debug)]
pub(super) struct AnyRole(pub(super) Role);

fn format(format: KnownFormat) -> ObjectBuilder {
    text_schema().format(Some(SchemaFormat::KnownFormat(format)))
}

impl Text for Email {
    type Refusal = NotAnEmail;

    fn parse(text: &str) -> Result<Self, NotAnEmail> {
        Self::parse(text)
    }

    fn schema() -> ObjectBuilder {
        format(KnownFormat::Email).max_length(Some(Self::MAX_LENGTH))
    }
}

impl Text for PersonName {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn schema() -> ObjectBuilder {
        text_schema().max_length(Some(Self::MAX_LENGTH))
    }
}

impl Text for Locale {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        Self::parse(text)
    }

    fn schema() -> ObjectBuilder {
        one_of(Self::ALL.map(Self::as_str))
    }
}

impl Text for OptionalPhone {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        Phone::parse(text).map(Self)
    }

    fn schema() -> ObjectBuilder {
        text_schema().max_length(Some(Phone::MAX_LENGTH))
    }
}

impl Text for RoleName {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        let role = text.parse().map(Self);
        role.map_err(|_| "Unknown role; use one of: student, encadrant.")
    }

    fn schema() -> ObjectBuilder {
        one_of(["student", "encadrant"])
    }
}

impl Text for Time {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        let time = text.parse().map(Self);
        time.map_err(|_| "Must be a time, such as 2026-01-31T12:00:00Z.")
    }

    fn schema() -> ObjectBuilder {
        format(KnownFormat::DateTime)
    }
}

impl Text for AnyRole {
    type Refusal = String;

    fn parse(text: &str) -> Result<Self, String> {
        let names = Role::ALL.map(Role::as_str).join(", ");
        let role = text.parse().map(Self);
        role.map_err(|_| format!("Unknown role; use one of: {names}."))
    }

    fn schema() -> ObjectBuilder {
        one_of(Role::ALL.map(Role::as_str))
    }
}

impl Text for ClaimedPassword {
    type Refusal = WeakPassword;

    fn parse(text: &str) -> Result<Self, WeakPassword> {
        Password::claimed(text).map(Self)
    }

    fn schema() -> ObjectBuilder {
        format(KnownFormat::Password).max_length(Some(MAX_LENGTH))
    }
}

impl Text for ProposedPassword {
    type Refusal = WeakPassword;

    fn parse(text: &str) -> Result<Self, WeakPassword> {
        Password::proposed(text).map(Self)
    }

    fn schema() -> ObjectBuilder {
        <ClaimedPassword as Text>::schema().min_length(Some(min_length()))
    }
}

impl Field for NewPassword {
    const REQUIRED: bool = true;

    fn read(object: &Object, name: &str) -> Result<Self, String> {
        let text = object.required(name)?;
        let email: Option<Email> = object.peek("email");
        let first_name: PersonName = object.peek("first_name").unwrap_or_default();
        let last_name: PersonName = object.peek("last_name").unwrap_or_default();
        let context = [
            email.as_ref().map_or("", Email::local_part),
            first_name.as_str(),
            last_name.as_str(),
        ];
        Password::chosen(text, &context)
            .map(Self)
            .map_err(|weak| weak.to_string())
    }

    fn schema() -> ObjectBuilder {
        <ClaimedPassword as Text>::schema().min_length(Some(min_length()))
    }
}

impl Field for OptionalPassword {
    const REQUIRED: bool = false;

    fn read(object: &Object, name: &str) -> Result<Self, String> {
        if object.value(name).is_none() {
            return Ok(Self(None));
        }
        NewPassword::read(object, name).map(|password| Self(Some(password.0)))
    }

    fn schema() -> ObjectBuilder {
        nullable(NewPassword::schema())
    }
}
