//! The table `communications_recipient`: one row for each user. Every function fails with the database's error.

use crate::domain::{Language, Recipient};
use events::{StudentId, UserId};
use sqlx::PgConnection;
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};
use uuid::Uuid;

/// Records users without a notification, and locks them until the transaction ends.
pub(crate) async fn record(
    connection: &mut PgConnection,
    recipients: &[Recipient],
) -> sqlx::Result<()> {
    upsert(connection, recipients, false).await.map(drop)
}

/// Records users who have a new profile, locks them until the transaction ends, and returns those who are not deleted.
/// A profile that is newer than the deletion is one that the deletion could not end.
pub(crate) async fn welcome(
    connection: &mut PgConnection,
    recipients: &[Recipient],
) -> sqlx::Result<HashSet<UserId>> {
    upsert(connection, recipients, true).await
}

async fn upsert(
    connection: &mut PgConnection,
    recipients: &[Recipient],
    created: bool,
) -> sqlx::Result<HashSet<UserId>> {
    let Columns {
        user_ids,
        student_ids,
        versions,
        languages,
    } = Columns::of(recipients);
    let recorded = sqlx::query!(
        "insert into communications_recipient as known (user_id, student_id, version, language)
         select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $5::text[])
         on conflict (user_id) do update
         set student_id = case when excluded.version >= known.version
                               then coalesce(excluded.student_id, known.student_id)
                               else coalesce(known.student_id, excluded.student_id) end,
             language = case when known.erased and not ($4 and excluded.version > known.version) then null
                             when excluded.version >= known.version then coalesce(excluded.language, known.language)
                             else coalesce(known.language, excluded.language) end,
             version = greatest(known.version, excluded.version),
             erased = known.erased and not ($4 and excluded.version > known.version)
         returning user_id, erased",
        &user_ids,
        &student_ids as &[Option<Uuid>],
        &versions,
        created,
        &languages as &[Option<String>],
    )
    .fetch_all(connection)
    .await?;
    Ok(recorded
        .into_iter()
        .filter(|row| !row.erased)
        .map(|row| row.user_id.into())
        .collect())
}

/// Returns the users of students, `None` for those who were deleted, and locks them until the transaction ends. A
/// student who is not recorded is missing.
pub(crate) async fn of_students(
    connection: &mut PgConnection,
    student_ids: &[StudentId],
) -> sqlx::Result<HashMap<StudentId, Option<UserId>>> {
    let student_ids: Vec<Uuid> = student_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"select student_id as "student_id!", user_id, erased from communications_recipient
           where student_id = any($1) order by user_id for share"#,
        &student_ids
    )
    .fetch_all(connection)
    .await?;
    let user = |user_id: Uuid, erased: bool| (!erased).then(|| user_id.into());
    Ok(rows
        .into_iter()
        .map(|row| (row.student_id.into(), user(row.user_id, row.erased)))
        .collect())
}

/// Returns the student who a user is.
pub(crate) async fn student_of(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Uuid>> {
    let student_id = sqlx::query_scalar!(
        "select student_id from communications_recipient where user_id = $1 and not erased",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(student_id.flatten())
}

/// Returns the language of a user, when it is known.
pub(crate) async fn language(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Language>> {
    let code = sqlx::query_scalar!(
        "select language from communications_recipient where user_id = $1",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(code.flatten().as_deref().and_then(Language::of))
}

/// Records that users were deleted, and returns them. It leaves out users whom a publisher with versions describes, when
/// the publisher of the deletion counts none.
pub(crate) async fn erase(
    connection: &mut PgConnection,
    recipients: &[Recipient],
) -> sqlx::Result<HashSet<UserId>> {
    let Columns {
        user_ids,
        student_ids,
        versions,
        ..
    } = Columns::of(recipients);
    let erased = sqlx::query_scalar!(
        "insert into communications_recipient as known (user_id, student_id, version, erased)
         select user_id, student_id, version, true
         from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as gone (user_id, student_id, version)
         on conflict (user_id) do update
         set student_id = coalesce(excluded.student_id, known.student_id), erased = true, language = null,
             version = greatest(known.version, excluded.version)
         where excluded.version > 0 or known.version = 0 or known.erased
         returning user_id",
        &user_ids,
        &student_ids as &[Option<Uuid>],
        &versions,
    )
    .fetch_all(connection)
    .await?;
    Ok(erased.into_iter().map(UserId::from).collect())
}

struct Columns {
    user_ids: Vec<Uuid>,
    student_ids: Vec<Option<Uuid>>,
    versions: Vec<i64>,
    languages: Vec<Option<String>>,
}

impl Columns {
    /// Sorted, so that the row locks of two consumers cannot cross. Of two profiles of a user, the newer one counts.
    fn of(recipients: &[Recipient]) -> Self {
        let mut sorted = recipients.to_vec();
        sorted.sort_by_key(|user| (user.user_id, Reverse(user.standing.rank())));
        sorted.dedup_by_key(|recipient| recipient.user_id);
        let student_id = |recipient: &Recipient| recipient.student_id.map(StudentId::as_uuid);
        let language = |recipient: &Recipient| recipient.language.map(|own| own.code().to_owned());
        Self {
            languages: sorted.iter().map(language).collect(),
            user_ids: sorted.iter().map(|user| user.user_id.as_uuid()).collect(),
            student_ids: sorted.iter().map(student_id).collect(),
            versions: sorted.iter().map(|user| user.standing.rank()).collect(),
        }
    }
}
