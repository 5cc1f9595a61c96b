//! What operators ask about mails, and have done with them. No function returns the arguments of a mail: an operator's
//! login cannot read them. Every function fails with the database's error.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// A mail, as an operator sees it.
#[derive(Debug, Serialize)]
pub struct MailRow {
    /// Its id.
    pub id: Uuid,
    /// The user whom it is about.
    pub user_id: Uuid,
    /// Which mail it is.
    pub kind: String,
    /// The e-mail address; `None` from a day after it was sent.
    pub recipient: Option<String>,
    /// The language of its text.
    pub language: String,
    /// `queued`, `sending`, `sent`, `failed` or `unknown`.
    pub state: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it is tried next; `None` when it is not.
    pub due_at: Option<DateTime<Utc>>,
    /// How often it was tried since it was written or last resent.
    pub tries: i32,
    /// So many copies may have arrived besides.
    pub unanswered: i32,
    /// Why the last try did not succeed, in one word.
    pub failure: Option<String>,
    /// The same as a sentence, with the words of the mail server.
    pub reason: Option<String>,
    /// When it was sent or failed.
    pub finished_at: Option<DateTime<Utc>>,
    /// How often an operator had it sent again.
    pub resends: i32,
    /// The operator who did it last.
    pub resent_by: Option<String>,
}

/// Selects mails. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub struct MailFilter {
    /// This mail.
    pub id: Option<Uuid>,
    /// Those in this state.
    pub state: Option<String>,
    /// Those to this address, in any case of its letters.
    pub recipient: Option<String>,
    /// Those about this user.
    pub user_id: Option<Uuid>,
}

/// Returns the mails that `filter` selects, the newest first, at most `limit`.
///
/// # Errors
/// Fails with the database's error.
pub async fn mails(
    connection: &mut PgConnection,
    filter: &MailFilter,
    limit: i64,
) -> sqlx::Result<Vec<MailRow>> {
    sqlx::query_as!(
        MailRow,
        r#"select id, user_id, kind, recipient, language, state, created_at,
                  case when state in ('queued', 'unknown') then nullif(due_at, 'infinity') end as due_at,
                  tries, unanswered, failure, reason, finished_at, resends, resent_by
           from mail
           where ($1::uuid is null or id = $1) and ($2::text is null or state = $2)
             and ($3::text is null or lower(recipient) = lower($3)) and ($4::uuid is null or user_id = $4)
           order by created_at desc, id desc limit $5"#,
        filter.id,
        filter.state,
        filter.recipient,
        filter.user_id,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Makes a mail due again, with all its tries: a worker draws a new secret for its link. `false`: a worker has it in hand,
/// its recipient was deleted, or there is no such mail.
///
/// # Errors
/// Fails with the database's error.
pub async fn resend(connection: &mut PgConnection, id: Uuid, person: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "update mail set state = 'queued', due_at = now(), tries = 0, leased_until = null, data_at = null,
             failure = null, reason = null, finished_at = null, resends = resends + 1, resent_by = $2
         where id = $1 and state <> 'sending' and recipient is not null",
        id,
        person
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The mails that need a person.
#[derive(Debug)]
pub struct Troubles {
    /// Those that no process has tried for ten minutes.
    pub untried: i64,
    /// When the first of these was written.
    pub untried_since: Option<DateTime<Utc>>,
    /// Those that did not succeed in five tries and are tried again.
    pub retried: i64,
    /// Why the last try of one of them did not succeed.
    pub failure: Option<String>,
    /// Those of the last day that are not tried again, without those that were not to be sent any more.
    pub failed: i64,
}

/// Counts the mails that need a person.
///
/// # Errors
/// Fails with the database's error.
pub async fn troubles(connection: &mut PgConnection) -> sqlx::Result<Troubles> {
    sqlx::query_as!(
        Troubles,
        r#"select count(*) filter (where state = 'queued' and tries = 0 and due_at < now() - interval '10 minutes')
                      as "untried!",
                  min(created_at) filter (where state = 'queued' and tries = 0
                                            and due_at < now() - interval '10 minutes') as untried_since,
                  count(*) filter (where state in ('queued', 'unknown', 'sending') and tries >= 5) as "retried!",
                  max(failure) filter (where state in ('queued', 'unknown', 'sending') and tries >= 5) as failure,
                  count(*) filter (where (state = 'failed' and failure not in ('off', 'obsolete')
                                            and finished_at > now() - interval '1 day')
                                      or (state = 'unknown' and due_at = 'infinity')) as "failed!"
           from mail"#
    )
    .fetch_one(connection)
    .await
}
