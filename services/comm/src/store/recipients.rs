//! The table `communications_recipient`.

use crate::domain::Recipient;
use events::{StudentId, UserId};
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Takes note of users, and locks them until the transaction ends. Tells which of them may be told something:
/// those who were not deleted.
///
/// # Errors
/// When the database refuses.
pub async fn admit(
    connection: &mut PgConnection,
    recipients: &[Recipient],
) -> sqlx::Result<HashSet<UserId>> {
    let (user_ids, student_ids) = columns(recipients);
    let known = sqlx::query!(
        "insert into communications_recipient as known (user_id, student_id)
         select * from unnest($1::uuid[], $2::uuid[])
         on conflict (user_id) do update set student_id = coalesce(excluded.student_id, known.student_id)
         returning user_id, erased",
        &user_ids,
        &student_ids as &[Option<Uuid>],
    )
    .fetch_all(connection)
    .await?;
    Ok(known
        .into_iter()
        .filter(|row| !row.erased)
        .map(|row| row.user_id.into())
        .collect())
}

/// The users of students, `None` for those who were deleted, locked until the transaction ends. Students that
/// nothing is known of are missing.
///
/// # Errors
/// When the database refuses.
pub async fn of_students(
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

/// Takes note that users were deleted.
///
/// # Errors
/// When the database refuses.
pub async fn erase(connection: &mut PgConnection, recipients: &[Recipient]) -> sqlx::Result<()> {
    let (user_ids, student_ids) = columns(recipients);
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

/// As columns, sorted: row locks of two consumers must not cross.
fn columns(recipients: &[Recipient]) -> (Vec<Uuid>, Vec<Option<Uuid>>) {
    let mut sorted = recipients.to_vec();
    sorted.sort_by_key(|(user_id, _)| *user_id);
    sorted.dedup_by_key(|(user_id, _)| *user_id);
    sorted
        .into_iter()
        .map(|(user, student)| (user.as_uuid(), student.map(StudentId::as_uuid)))
        .unzip()
}
