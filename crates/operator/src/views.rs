//! The views that each service's migrations define for operators, in the same shape in every database.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream::BoxStream};
use sqlx::PgConnection;
use uuid::Uuid;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");

/// Returns the user with this e-mail, as this service knows it.
pub(crate) async fn user_of_email(
    connection: &mut PgConnection,
    email: &str,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"select user_id as "user_id!" from operator_subject
           where kind = 'email' and value = lower($1) limit 1"#,
        email
    )
    .fetch_optional(connection)
    .await
}

/// What an event caused at a service.
#[derive(Debug)]
pub(crate) struct Effect {
    pub(crate) happened_at: DateTime<Utc>,
    pub(crate) description: String,
}

/// Returns what an event caused at this service.
pub(crate) async fn effects(
    connection: &mut PgConnection,
    event_id: Uuid,
) -> sqlx::Result<Vec<Effect>> {
    sqlx::query_as!(
        Effect,
        r#"select happened_at as "happened_at!", description as "description!"
           from operator_effect where source_event = $1"#,
        event_id
    )
    .fetch_all(connection)
    .await
}

/// What a service has recorded about a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownUser {
    pub(crate) user_id: Uuid,
    /// `None` where the service stores no versions.
    pub(crate) version: Option<i64>,
    pub(crate) erased: bool,
    /// The service has what a user of this role has there: a profile, a welcome.
    pub(crate) complete: bool,
    pub(crate) changed_at: Option<DateTime<Utc>>,
}

/// Streams the users that this service knows, in the order of their ids.
pub(crate) fn users(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<KnownUser>> {
    sqlx::query_as!(
        KnownUser,
        r#"select user_id as "user_id!", version, erased as "erased!", complete as "complete!", changed_at
           from operator_user order by user_id"#
    )
    .fetch(connection)
    .boxed()
}
