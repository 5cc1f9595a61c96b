//! The table `communications_recipient`: one row for each user. Every function fails with the database's error.

use crate::domain::Recipient;
use events::{StudentId, UserId};
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Records users, locks them until the transaction ends, and returns those who were not deleted.
pub(crate) async fn record(
    connection: &mut PgConnection,
    recipients: &[Recipient],
) -> sqlx::Result<HashSet<UserId>> {
    let Columns {
        user_ids,
        student_ids,
    } = Columns::of(recipients);
    let recorded = sqlx::query!(
        "insert into communications_recipient as known (user_id, student_id)
         select * from unnest($1::uuid[], $2::uuid[])
         on conflict (user_id) do update set student_id = coalesce(excluded.student_id, known.student_id)
         returning user_id, erased",
        &user_ids,
        &student_ids as &[Option<Uuid>],
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

/// Records that users were deleted.
pub(crate) async fn erase(
    connection: &mut PgConnection,
    recipients: &[Recipient],
) -> sqlx::Result<()> {
    let Columns {
        user_ids,
        student_ids,
    } = Columns::of(recipients);
    sqlx::query!(
        "insert into communications_recipient as known (user_id, student_id, erased)
         select user_id, student_id, true from unnest($1::uuid[], $2::uuid[]) as gone (user_id, student_id)
         on conflict (user_id) do update
         set student_id = coalesce(excluded.student_id, known.student_id), erased = true",
        &user_ids,
        &student_ids as &[Option<Uuid>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct Columns {
    user_ids: Vec<Uuid>,
    student_ids: Vec<Option<Uuid>>,
}

impl Columns {
    /// Sorted, so that the row locks of two consumers cannot cross.
    fn of(recipients: &[Recipient]) -> Self {
        let mut sorted = recipients.to_vec();
        sorted.sort_by_key(|recipient| recipient.user_id);
        sorted.dedup_by_key(|recipient| recipient.user_id);
        let student_id = |recipient: &Recipient| recipient.student_id.map(StudentId::as_uuid);
        Self {
            user_ids: sorted.iter().map(|user| user.user_id.as_uuid()).collect(),
            student_ids: sorted.iter().map(student_id).collect(),
        }
    }
}
