//! The table `users_user`. Every function fails with the database's error.

use crate::domain::{Email, Locale, PersonName, Phone, ProfileLink};
use chrono::{DateTime, Utc};
use events::{Role, UserId};
use messaging::Announcement;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// The key of the advisory lock that [`another_admin_exists`] takes: "admins" in ASCII.
const ADMINS: i64 = 0x6164_6d69_6e73;

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct User {
    /// The id of the user.
    pub id: Uuid,
    /// In lower case.
    pub email: String,
    /// Empty when not given.
    pub first_name: String,
    /// Empty when not given.
    pub last_name: String,
    /// As the user wrote it.
    pub phone: Option<String>,
    /// A name that [`Role`] knows.
    pub role: String,
    /// False: cannot log in.
    pub is_active: bool,
    /// A code that [`Locale`] knows.
    pub locale: String,
    /// Whether the user has shown that the e-mail is the own.
    pub email_verified: bool,
    /// The user's profile at profile-service, once an event named it.
    pub profile_id: Option<Uuid>,
    /// The time of the registration.
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
    /// The number of the change, which its event carries.
    pub version: i64,
}

/// A user, and what a log-in is checked against.
pub(crate) struct Login {
    /// The user.
    pub user: User,
    /// As the table has it.
    pub password_hash: String,
}

/// What the password of a user is checked against.
pub(crate) struct Credentials {
    /// The address under which failures are counted.
    pub email: String,
    /// argon2id, as a PHC string.
    pub password_hash: String,
}

/// A user who was deleted.
#[derive(Debug)]
pub(crate) struct Deleted {
    /// The last e-mail.
    pub email: String,
    /// The version before the deletion.
    pub version: i64,
}

impl User {
    /// The user's id, typed.
    pub(crate) fn user_id(&self) -> UserId {
        self.id.into()
    }

    /// The user's role, typed.
    pub(crate) fn role(&self) -> Role {
        self.role
            .parse()
            .expect("a check constraint of the table allows no other")
    }
}

/// A user to be inserted.
#[derive(Clone, Debug)]
pub(crate) struct NewUser {
    /// Unique among users.
    pub email: Email,
    /// argon2id, as a PHC string.
    pub password_hash: String,
    /// Empty when not given.
    pub first_name: PersonName,
    /// Empty when not given.
    pub last_name: PersonName,
    /// When given.
    pub phone: Option<Phone>,
    /// What the user is to be.
    pub role: Role,
    /// Language of texts.
    pub locale: Locale,
    /// Whether the e-mail needs no proof.
    pub email_verified: bool,
}

/// Inserts a user. `None` when the e-mail or the id is taken.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    id: UserId,
    new: &NewUser,
) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        "insert into users_user (id, email, password_hash, first_name, last_name, phone, role, locale, email_verified)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict do nothing
         returning id, email, first_name, last_name, phone, role, is_active, locale, email_verified, profile_id,
             created_at, updated_at, version",
        id.as_uuid(),
        new.email.as_str(),
        new.password_hash,
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.phone.as_ref().map(Phone::as_str),
        new.role.as_str(),
        new.locale.as_str(),
        new.email_verified,
    )
    .fetch_optional(connection)
    .await
}

/// Returns a user by id.
pub(crate) async fn by_id(connection: &mut PgConnection, id: UserId) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        "select id, email, first_name, last_name, phone, role, is_active, locale, email_verified, profile_id,
             created_at, updated_at, version
         from users_user where id = $1",
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Returns a user by e-mail, with the hash of the password.
pub(crate) async fn by_email(
    connection: &mut PgConnection,
    email: &Email,
) -> sqlx::Result<Option<Login>> {
    let row = sqlx::query!(
        "select id, email, password_hash, first_name, last_name, phone, role, is_active, locale, email_verified, profile_id,
             created_at, updated_at, version
         from users_user where lower(email) = $1",
        email.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Login {
        user: User {
            id: row.id,
            email: row.email,
            first_name: row.first_name,
            last_name: row.last_name,
            phone: row.phone,
            role: row.role,
            is_active: row.is_active,
            locale: row.locale,
            email_verified: row.email_verified,
            profile_id: row.profile_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        },
        password_hash: row.password_hash,
    }))
}

/// Replaces the hash of a password by another one of the same password, unless the password has been changed meanwhile.
pub(crate) async fn replace_hash(
    connection: &mut PgConnection,
    id: UserId,
    old: &str,
    new: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users_user set password_hash = $3 where id = $1 and password_hash = $2",
        id.as_uuid(),
        old,
        new,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns what the password of a user is checked against.
pub(crate) async fn credentials(
    connection: &mut PgConnection,
    id: UserId,
) -> sqlx::Result<Option<Credentials>> {
    sqlx::query_as!(
        Credentials,
        "select email, password_hash from users_user where id = $1",
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Returns the present version of a user.
pub(crate) async fn version(
    connection: &mut PgConnection,
    id: UserId,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select version from users_user where id = $1", id.as_uuid())
        .fetch_optional(connection)
        .await
}

/// Stores another password of a user.
pub(crate) async fn set_password(
    connection: &mut PgConnection,
    id: UserId,
    password_hash: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users_user set password_hash = $2, updated_at = now() where id = $1",
        id.as_uuid(),
        password_hash
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns a user by id, and locks the row until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection, id: UserId) -> sqlx::Result<Option<User>> {
    sqlx::query_as!(
        User,
        "select id, email, first_name, last_name, phone, role, is_active, locale, email_verified, profile_id,
             created_at, updated_at, version
         from users_user where id = $1 for no key update",
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Stores the fields that may change, and returns the user with the next version. `None` when the e-mail is taken. With
/// another role the user has no profile until profile-service says which.
pub(crate) async fn update(
    connection: &mut PgConnection,
    user: &User,
) -> sqlx::Result<Option<User>> {
    let updated = sqlx::query!(
        "update users_user
         set email = $2, first_name = $3, last_name = $4, phone = $5, locale = $6, role = $7, is_active = $8,
             email_verified = $9, version = version + 1, updated_at = now(),
             email_since = case when email = $2 then email_since else now() end,
             deletion_announced_at = case when email = $2 then deletion_announced_at end,
             profile_id = case when role = $7 then profile_id end
         where id = $1
         returning version, updated_at, profile_id",
        user.id,
        user.email,
        user.first_name,
        user.last_name,
        user.phone,
        user.locale,
        user.role,
        user.is_active,
        user.email_verified,
    )
    .fetch_one(connection)
    .await;
    match updated {
        Ok(row) => Ok(Some(User {
            updated_at: row.updated_at,
            version: row.version,
            profile_id: row.profile_id,
            ..user.clone()
        })),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Raises the versions of users to what the announcements demand, and returns the users that exist.
pub(crate) async fn raise_versions(
    connection: &mut PgConnection,
    announcements: &[Announcement],
) -> sqlx::Result<HashMap<UserId, User>> {
    let ids: Vec<Uuid> = announcements.iter().map(|new| new.aggregate_id).collect();
    let versions: Vec<i64> = announcements.iter().map(|new| new.at_least).collect();
    let users = sqlx::query_as!(
        User,
        "with wanted as (
             select id, at_least from unnest($1::uuid[], $2::bigint[]) as wanted (id, at_least)),
         locked as (
             select id from users_user where id = any($1) order by id for no key update)
         update users_user set version = greatest(version, at_least)
         from wanted join locked using (id) where users_user.id = wanted.id
         returning users_user.id, email, first_name, last_name, phone, role, is_active, locale, email_verified, profile_id,
             created_at, updated_at, version",
        &ids,
        &versions,
    )
    .fetch_all(connection)
    .await?;
    Ok(users
        .into_iter()
        .map(|user| (user.user_id(), user))
        .collect())
}

/// Deletes a user with all sessions.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    id: UserId,
) -> sqlx::Result<Option<Deleted>> {
    sqlx::query_as!(
        Deleted,
        "delete from users_user where id = $1 returning email, version",
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Records which profiles belong to which users, in one round trip. Users that do not exist are ignored, and so are
/// versions that are not newer than the recorded one, and profiles of a role that the user does not have any more.
pub(crate) async fn link_profiles(
    connection: &mut PgConnection,
    links: &[ProfileLink],
) -> sqlx::Result<()> {
    let users: Vec<Uuid> = links.iter().map(|link| link.user_id.as_uuid()).collect();
    let profiles: Vec<Option<Uuid>> = links.iter().map(|link| link.profile_id).collect();
    let versions: Vec<i64> = links.iter().map(|link| link.version).collect();
    let roles: Vec<String> = links.iter().map(|link| link.role.to_string()).collect();
    sqlx::query!(
        "update users_user set profile_id = linked.profile_id, profile_version = linked.version
         from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) as linked (user_id, profile_id, version, role)
         where id = linked.user_id and profile_version < linked.version and users_user.role = linked.role",
        &users,
        &profiles as &[Option<Uuid>],
        &versions,
        &roles,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether any of these users has a profile.
pub(crate) async fn have_profiles(
    connection: &mut PgConnection,
    ids: &[UserId],
) -> sqlx::Result<bool> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query_scalar!(
        r#"select exists (select from users_user where id = any($1) and profile_id is not null) as "exists!""#,
        &ids
    )
    .fetch_one(connection)
    .await
}

/// Whether another administrator than this one can log in. Takes a lock until the transaction ends, so that two
/// transactions that remove administrators come one after the other.
pub(crate) async fn another_admin_exists(
    connection: &mut PgConnection,
    id: UserId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!("select pg_advisory_xact_lock($1)", ADMINS)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query_scalar!(
        r#"select exists (select from users_user where role = 'admin' and is_active and id <> $1) as "exists!""#,
        id.as_uuid()
    )
    .fetch_one(connection)
    .await
}
