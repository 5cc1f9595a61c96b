//! What student and encadrant profiles have in common: the person. Every statement fails with the database's error.

use crate::domain::{Person, PersonChange};
use events::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

/// A profile to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewProfile<Id> {
    /// The profile.
    pub id: Id,
    /// The person.
    pub person: Person,
    /// The version of the user that it is made from; the profile's own version begins there.
    pub version: i64,
}

/// A profile to be changed.
#[derive(Clone, Debug)]
pub(crate) struct ProfileChange {
    /// The change of the person.
    pub change: PersonChange,
    /// The version of the user; afterwards the profile's own version is no lower.
    pub version: i64,
}

/// A profile that was changed.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The profile.
    pub id: Uuid,
    /// Its version after the change.
    pub version: i64,
    /// The person after the change.
    pub person: Person,
    /// The names of the columns that changed.
    pub changes: Vec<String>,
    /// Whether it is the profile of the role that the user has.
    pub is_active: bool,
}

/// A profile that was deleted.
#[derive(Debug)]
pub(crate) struct Deleted {
    /// The profile.
    pub id: Uuid,
    /// The user.
    pub user_id: UserId,
    /// Its last version.
    pub version: i64,
}

/// What all profiles of a user have in common.
#[derive(Debug)]
pub(crate) struct Latest {
    /// The person; each profile has the same.
    pub person: Person,
    /// The highest of their versions.
    pub version: i64,
}

/// Returns what the profiles of a user have in common, whether they count or not.
pub(crate) async fn latest(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Latest>> {
    let row = sqlx::query!(
        r#"select email as "email!", first_name as "first_name!", last_name as "last_name!", phone, locale,
                  version as "version!"
           from (select email, first_name, last_name, phone, locale, version from profiles_student where user_id = $1
                 union all
                 select email, first_name, last_name, phone, locale, version from profiles_encadrant where user_id = $1)
                as own
           order by version desc limit 1"#,
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Latest {
        person: Person {
            user_id,
            email: row.email,
            first_name: row.first_name,
            last_name: row.last_name,
            phone: row.phone,
            locale: row.locale,
        },
        version: row.version,
    }))
}

/// The names that are marked.
pub(super) fn named(fields: &[(&str, bool)]) -> Vec<String> {
    let marked = fields.iter().filter(|(_, is_marked)| *is_marked);
    marked.map(|(name, _)| (*name).to_owned()).collect()
}

/// Whether the user's profile has the names and the phone that the user has.
pub(crate) async fn is_current(
    connection: &mut PgConnection,
    person: &Person,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from profiles_student where user_id = $1
                            and (first_name, last_name, phone) is not distinct from ($2, $3, $4))
               or exists (select from profiles_encadrant where user_id = $1
                            and (first_name, last_name, phone) is not distinct from ($2, $3, $4)) as "is_current!""#,
        person.user_id.as_uuid(),
        person.first_name,
        person.last_name,
        person.phone,
    )
    .fetch_one(connection)
    .await
}

/// Whether a user has no profile.
pub(crate) async fn is_gone(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select not exists (select from profiles_student where user_id = $1)
              and not exists (select from profiles_encadrant where user_id = $1) as "is_gone!""#,
        user_id.as_uuid(),
    )
    .fetch_one(connection)
    .await
}

/// The unique field that a statement would have given to a second profile.
pub(crate) fn violated(error: &sqlx::Error) -> Option<&'static str> {
    match error.as_database_error()?.constraint()? {
        "profiles_student_cin" | "profiles_encadrant_cin" => Some("cin"),
        "profiles_student_student_number" => Some("student_number"),
        _ => None,
    }
}

/// Writes the statements for one of the two tables: checked queries take no table name as a parameter.
macro_rules! statements {
    ($table:literal) => {
        use crate::store::people::{Changed, Deleted, NewProfile, ProfileChange};

        /// Inserts profiles, in one round trip.
        pub(crate) async fn insert<Id: Copy + Into<uuid::Uuid>>(
            connection: &mut sqlx::PgConnection,
            profiles: &[NewProfile<Id>],
        ) -> sqlx::Result<()> {
            let ids: Vec<uuid::Uuid> = profiles.iter().map(|new| new.id.into()).collect();
            let user_ids: Vec<uuid::Uuid> = profiles.iter().map(|new| new.person.user_id.as_uuid()).collect();
            let emails: Vec<String> = profiles.iter().map(|new| new.person.email.clone()).collect();
            let first_names: Vec<String> = profiles.iter().map(|new| new.person.first_name.clone()).collect();
            let last_names: Vec<String> = profiles.iter().map(|new| new.person.last_name.clone()).collect();
            let phones: Vec<Option<String>> = profiles.iter().map(|new| new.person.phone.clone()).collect();
            let versions: Vec<i64> = profiles.iter().map(|new| new.version).collect();
            let locales: Vec<Option<String>> = profiles.iter().map(|new| new.person.locale.clone()).collect();
            sqlx::query!(
                "insert into " + $table + " (id, user_id, email, first_name, last_name, phone, version, locale)
                 select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                                      $8::text[])",
                &ids,
                &user_ids,
                &emails,
                &first_names,
                &last_names,
                &phones as &[Option<String>],
                &versions,
                &locales as &[Option<String>],
            )
            .execute(connection)
            .await?;
            Ok(())
        }

        /// Changes the profiles of users who have one, in one round trip, and returns those that differ from before.
        pub(crate) async fn update(
            connection: &mut sqlx::PgConnection,
            changes: &[ProfileChange],
        ) -> sqlx::Result<Vec<Changed>> {
            let user_ids: Vec<uuid::Uuid> = changes.iter().map(|new| new.change.user_id.as_uuid()).collect();
            let emails: Vec<Option<String>> = changes.iter().map(|new| new.change.email.clone()).collect();
            let first_names: Vec<Option<String>> = changes.iter().map(|new| new.change.first_name.clone()).collect();
            let last_names: Vec<Option<String>> = changes.iter().map(|new| new.change.last_name.clone()).collect();
            let phone_said: Vec<bool> = changes.iter().map(|new| new.change.phone.is_some()).collect();
            let phones: Vec<Option<String>> = changes.iter().map(|new| new.change.phone.clone().flatten()).collect();
            let versions: Vec<i64> = changes.iter().map(|new| new.version).collect();
            let locales: Vec<Option<String>> = changes.iter().map(|new| new.change.locale.clone()).collect();
            let rows = sqlx::query!(
                r#"with old as (
                     select id, user_id, email, first_name, last_name, phone, locale from "# + $table + r#"
                     where user_id = any($1) order by user_id for update),
                   new as (
                     select old.id, said.version,
                            coalesce(said.email, old.email) as email,
                            coalesce(said.first_name, old.first_name) as first_name,
                            coalesce(said.last_name, old.last_name) as last_name,
                            case when phone_said then said.phone else old.phone end as phone,
                            coalesce(said.locale, old.locale) as locale
                     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::bigint[],
                                 $8::text[])
                       as said (user_id, email, first_name, last_name, phone_said, phone, version, locale)
                     join old using (user_id))
                   update "# + $table + r#" as profile
                   set email = new.email, first_name = new.first_name, last_name = new.last_name, phone = new.phone,
                       locale = new.locale, version = greatest(profile.version + 1, new.version), updated_at = now()
                   from new join old using (id)
                   where profile.id = new.id
                     and (new.email, new.first_name, new.last_name, new.phone, new.locale)
                         is distinct from (old.email, old.first_name, old.last_name, old.phone, old.locale)
                   returning profile.id, profile.user_id, profile.version, profile.email, profile.first_name,
                       profile.last_name, profile.phone, profile.locale, profile.is_active,
                       array_remove(array[
                           case when new.email <> old.email then 'email' end,
                           case when new.first_name <> old.first_name then 'first_name' end,
                           case when new.last_name <> old.last_name then 'last_name' end,
                           case when new.phone is distinct from old.phone then 'phone' end,
                           case when new.locale is distinct from old.locale then 'locale' end], null) as "changes!""#,
                &user_ids,
                &emails as &[Option<String>],
                &first_names as &[Option<String>],
                &last_names as &[Option<String>],
                &phone_said,
                &phones as &[Option<String>],
                &versions,
                &locales as &[Option<String>],
            )
            .fetch_all(connection)
            .await?;
            let changed = rows.into_iter().map(|row| Changed {
                id: row.id,
                version: row.version,
                person: crate::domain::Person {
                    user_id: row.user_id.into(),
                    email: row.email,
                    first_name: row.first_name,
                    last_name: row.last_name,
                    phone: row.phone,
                    locale: row.locale,
                },
                changes: row.changes,
                is_active: row.is_active,
            });
            Ok(changed.collect())
        }

        /// Lets the profile of a user count, or count no more; its version is no lower than this one afterwards. `None`
        /// when there is none that changes.
        pub(crate) async fn set_active(
            connection: &mut sqlx::PgConnection,
            user_id: events::UserId,
            is_active: bool,
            version: i64,
        ) -> sqlx::Result<Option<NewProfile<uuid::Uuid>>> {
            let row = sqlx::query!(
                "update " + $table + " set is_active = $2, version = greatest(version + 1, $3), updated_at = now()
                 where user_id = $1 and is_active <> $2
                 returning id, email, first_name, last_name, phone, locale, version",
                user_id.as_uuid(),
                is_active,
                version
            )
            .fetch_optional(connection)
            .await?;
            Ok(row.map(|row| NewProfile {
                id: row.id,
                version: row.version,
                person: crate::domain::Person {
                    user_id,
                    email: row.email,
                    first_name: row.first_name,
                    last_name: row.last_name,
                    phone: row.phone,
                    locale: row.locale,
                },
            }))
        }

        /// Returns the profiles that count of users who have one, and locks them against changes until the transaction
        /// ends.
        pub(crate) async fn of_users(
            connection: &mut sqlx::PgConnection,
            user_ids: &[events::UserId],
        ) -> sqlx::Result<Vec<NewProfile<uuid::Uuid>>> {
            let user_ids: Vec<uuid::Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
            let rows = sqlx::query!(
                "select id, user_id, email, first_name, last_name, phone, locale, version from " + $table + "
                 where user_id = any($1) and is_active order by user_id for share",
                &user_ids
            )
            .fetch_all(connection)
            .await?;
            let profiles = rows.into_iter().map(|row| NewProfile {
                id: row.id,
                version: row.version,
                person: crate::domain::Person {
                    user_id: row.user_id.into(),
                    email: row.email,
                    first_name: row.first_name,
                    last_name: row.last_name,
                    phone: row.phone,
                    locale: row.locale,
                },
            });
            Ok(profiles.collect())
        }

        /// Deletes the profiles of users who have one, in one round trip, and returns them.
        pub(crate) async fn delete(
            connection: &mut sqlx::PgConnection,
            user_ids: &[events::UserId],
        ) -> sqlx::Result<Vec<Deleted>> {
            let user_ids: Vec<uuid::Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
            let rows = sqlx::query!(
                "delete from " + $table + " where user_id = any($1) returning id, user_id, version",
                &user_ids
            )
            .fetch_all(connection)
            .await?;
            let deleted = rows.into_iter().map(|row| Deleted {
                id: row.id,
                user_id: row.user_id.into(),
                version: row.version,
            });
            Ok(deleted.collect())
        }
    };
}

pub(crate) use statements;
