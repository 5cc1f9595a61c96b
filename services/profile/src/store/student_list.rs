//! Pages of the table `profiles_student`. Every function fails with the database's error.
//!
//! Each order has a query of its own, because an index serves an order only when the query names it.

use super::{search::Rows, students::Student};
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Json};

/// Selects students. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct StudentFilter {
    /// A pattern of [`super::search::pattern`], for names, e-mail and student number.
    pub pattern: Option<String>,
    /// In any case.
    pub university: Option<String>,
    /// In any case.
    pub program: Option<String>,
    pub year_level: Option<i32>,
}

/// Returns a page of the students, and how many the filter selects. The transaction is one of
/// [`super::search::SNAPSHOT`].
pub(crate) async fn page(
    connection: &mut PgConnection,
    filter: &StudentFilter,
    rows: Rows,
) -> sqlx::Result<(Vec<Student>, i64)> {
    macro_rules! ordered {
        ($order:literal) => {
            sqlx::query_as!(
                Student,
                r#"select id, user_id, email, first_name, last_name, phone, locale, cin, student_number, date_of_birth, university,
                          program, year_level, metadata as "metadata: Json<Map<String, Value>>", version, created_at,
                          updated_at
                   from profiles_student
                   where is_active
                     and ($1::text is null or search like $1)
                     and ($2::text is null or lower(university) = lower($2))
                     and ($3::text is null or lower(program) = lower($3))
                     and ($4::integer is null or year_level = $4)
                   order by "# + $order + " offset $5 limit $6",
                filter.pattern,
                filter.university,
                filter.program,
                filter.year_level,
                rows.offset,
                rows.limit,
            )
            .fetch_all(&mut *connection)
            .await?
        };
    }
    let students = match (rows.by, rows.descending) {
        ("last_name", false) => ordered!("lower(last_name), created_at, id"),
        ("last_name", true) => ordered!("lower(last_name) desc, created_at desc, id desc"),
        ("first_name", false) => ordered!("lower(first_name), created_at, id"),
        ("first_name", true) => ordered!("lower(first_name) desc, created_at desc, id desc"),
        ("email", false) => ordered!("email, created_at, id"),
        ("email", true) => ordered!("email desc, created_at desc, id desc"),
        ("student_number", false) => {
            ordered!("lower(student_number) nulls first, created_at, id")
        }
        ("student_number", true) => {
            ordered!("lower(student_number) desc nulls last, created_at desc, id desc")
        }
        ("university", false) => ordered!("lower(university) nulls first, created_at, id"),
        ("university", true) => {
            ordered!("lower(university) desc nulls last, created_at desc, id desc")
        }
        ("program", false) => ordered!("lower(program) nulls first, created_at, id"),
        ("program", true) => ordered!("lower(program) desc nulls last, created_at desc, id desc"),
        ("year_level", false) => ordered!("year_level nulls first, created_at, id"),
        ("year_level", true) => ordered!("year_level desc nulls last, created_at desc, id desc"),
        (_, false) => ordered!("created_at, id"),
        (_, true) => ordered!("created_at desc, id desc"),
    };
    Ok((students, count(connection, filter).await?))
}

async fn count(connection: &mut PgConnection, filter: &StudentFilter) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "total!" from profiles_student
           where is_active
             and ($1::text is null or search like $1)
             and ($2::text is null or lower(university) = lower($2))
             and ($3::text is null or lower(program) = lower($3))
             and ($4::integer is null or year_level = $4)"#,
        filter.pattern,
        filter.university,
        filter.program,
        filter.year_level,
    )
    .fetch_one(connection)
    .await
}
