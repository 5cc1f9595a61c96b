//! Numbers that only one person of a role may have: those of profiles, and those of users who are being created. Every
//! function fails with the database's error.

use super::people::named;
use crate::domain::Numbers;
use events::UserId;
use sqlx::PgConnection;

/// Returns the fields whose number somebody else than `owner` has. Until the transaction ends, nobody else can take these
/// numbers.
pub(crate) async fn taken(
    connection: &mut PgConnection,
    owner: UserId,
    numbers: &Numbers,
) -> sqlx::Result<Vec<String>> {
    lock(connection, numbers).await?;
    let owner = owner.as_uuid();
    let role = numbers.role.as_str();
    let (cin, student_number) = (&numbers.cin, &numbers.student_number);
    let row = sqlx::query!(
        r#"select exists (select from profiles_student where cin = $3 and user_id <> $1 and $2 = 'student')
               or exists (select from profiles_encadrant where cin = $3 and user_id <> $1 and $2 = 'encadrant')
               or exists (select from profiles_expected where fields ->> 'cin' = $3 and user_id <> $1 and role = $2)
                  as "cin!",
                  exists (select from profiles_student where student_number = $4 and user_id <> $1)
               or exists (select from profiles_expected where fields ->> 'student_number' = $4 and user_id <> $1)
                  as "student_number!""#,
        owner,
        role,
        cin.as_ref(),
        student_number.as_ref(),
    )
    .fetch_one(connection)
    .await?;
    let fields = [("cin", row.cin), ("student_number", row.student_number)];
    Ok(named(&fields))
}

/// Waits for others who are about to take one of these numbers. A unique index cannot span several tables.
async fn lock(connection: &mut PgConnection, numbers: &Numbers) -> sqlx::Result<()> {
    let role = numbers.role;
    let cin = numbers.cin.iter().map(|cin| format!("{role} cin {cin}"));
    let number = numbers.student_number.iter();
    // Always in this order, so that two transactions do not wait for each other.
    for name in cin.chain(number.map(|number| format!("student_number {number}"))) {
        sqlx::query!(
            "select pg_advisory_xact_lock(hashtextextended($1, 0))",
            name
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
