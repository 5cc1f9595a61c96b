//! Searches in the table `users_user`, for administrators. Every function fails with the database's error.

use super::users::User;
use sqlx::PgConnection;

/// Begins a transaction whose statements see the same rows, and are planned with the values of their parameters: one
/// plan for all filters would read the whole table.
pub(crate) const SNAPSHOT: &str = "begin isolation level repeatable read, read only; set local plan_cache_mode = force_custom_plan";

/// Selects users. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// A pattern of [`pattern`].
    pub pattern: Option<String>,
    /// Only this role.
    pub role: Option<&'static str>,
    /// Only users who can log in, or only those who cannot.
    pub is_active: Option<bool>,
}

/// The order of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// `email`, `first_name`, `last_name`, or any other text for the time of the registration.
    pub by: &'static str,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// The rows of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// How many precede the page.
    pub offset: i64,
    /// How many the page has at most.
    pub limit: i64,
}

/// Returns the pattern that finds a text anywhere. The index knows no text of fewer than three characters, so such a text
/// is found at the beginning of a word.
pub(crate) fn pattern(search: &str) -> Option<String> {
    let mut escaped = String::new();
    for character in search.trim().to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    match search.trim().chars().count() {
        0 => None,
        1 | 2 => Some(format!("% {escaped}%")),
        _ => Some(format!("%{escaped}%")),
    }
}

/// Returns a page of users, and how many the filter selects. The transaction is one of [`SNAPSHOT`].
pub(crate) async fn users(
    connection: &mut PgConnection,
    filter: &Filter,
    order: Order,
    rows: Rows,
) -> sqlx::Result<(Vec<User>, i64)> {
    let users = sqlx::query_as!(
        User,
        "select id, email, first_name, last_name, phone, role, is_active, locale, email_verified, profile_id,
                created_at, updated_at, version
         from users_user
         where ($1::text is null or ' ' || lower(email || ' ' || first_name || ' ' || last_name) like $1)
           and ($2::text is null or role = $2)
           and ($3::boolean is null or is_active = $3)
         order by
             case when not $5 then
                 case $4 when 'email' then lower(email) when 'first_name' then lower(first_name)
                         when 'last_name' then lower(last_name) end end,
             case when $5 then
                 case $4 when 'email' then lower(email) when 'first_name' then lower(first_name)
                         when 'last_name' then lower(last_name) end end desc,
             case when not $5 then created_at end, case when $5 then created_at end desc,
             case when not $5 then id end, case when $5 then id end desc
         offset $6 limit $7",
        filter.pattern,
        filter.role,
        filter.is_active,
        order.by,
        order.descending,
        rows.offset,
        rows.limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "total!" from users_user
           where ($1::text is null or ' ' || lower(email || ' ' || first_name || ' ' || last_name) like $1)
             and ($2::text is null or role = $2)
             and ($3::boolean is null or is_active = $3)"#,
        filter.pattern,
        filter.role,
        filter.is_active,
    )
    .fetch_one(connection)
    .await?;
    Ok((users, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_the_text_itself_and_a_short_one_at_the_beginning_of_a_word() {
        for (search, expected) in [
            ("  Doe ", Some("%doe%")),
            ("jo", Some("% jo%")),
            ("100%_\\", Some("%100\\%\\_\\\\%")),
            ("%", Some("% \\%%")),
            ("  ", None),
        ] {
            assert_eq!(pattern(search).as_deref(), expected, "{search}");
        }
    }
}
