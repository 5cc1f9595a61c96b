//! Counts of all tables, for the first page of administrators and encadrants.

use sqlx::{PgConnection, types::Json};
use std::collections::BTreeMap;

/// How many there are of what. Profiles of users who have another role now do not count.
#[derive(Debug)]
pub(crate) struct Counts {
    pub students: i64,
    pub encadrants: i64,
    pub establishments: i64,
    pub services: i64,
    /// The establishments of each type; those without one are not in it.
    pub types: Json<BTreeMap<String, i64>>,
}

/// Counts everything in one round trip.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn counts(connection: &mut PgConnection) -> sqlx::Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"select (select count(*) from profiles_student where is_active) as "students!",
                  (select count(*) from profiles_encadrant where is_active) as "encadrants!",
                  (select count(*) from profiles_establishment) as "establishments!",
                  (select count(*) from profiles_service) as "services!",
                  (select coalesce(jsonb_object_agg(type, of_type), '{}')
                   from (select type, count(*) as of_type from profiles_establishment
                         where type is not null group by type) as types) as "types!: Json<BTreeMap<String, i64>>""#,
    )
    .fetch_one(connection)
    .await
}
