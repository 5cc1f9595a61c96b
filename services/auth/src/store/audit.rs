//! The tables `users_audit` and `users_audit_detail`. Every function fails with the database's error.
//!
//! An audit row is written in the transaction of what it says. It holds ids only and stays for good; the detail about a
//! person is deleted with the person.

use super::search::Rows;
use chrono::{DateTime, Utc};
use events::UserId;
use sqlx::PgConnection;
use std::net::IpAddr;
use uuid::Uuid;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Register,
    Login,
    Logout,
    ReuseRefreshToken,
    RepeatRefresh,
    CreateUser,
    ChangeUser,
    DeleteUser,
    ChangeRole,
    DisableUser,
    EnableUser,
    ChangePassword,
    ChangeEmail,
    VerifyEmail,
    RestoreEmail,
    ResetPassword,
    DeleteUnverified,
    RevokeSessions,
    RotateKey,
    CreateAdmin,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
}

/// Who acts, and from where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actor {
    /// The user who acts; `None` for a command on the server.
    pub id: Option<UserId>,
    /// From where.
    pub detail: Detail,
}

/// What an audit row says about a person.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detail {
    /// The e-mail that it is about, in lower case.
    pub email: Option<String>,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// What the client says about itself.
    pub device: Option<String>,
}

/// A row to be written.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The user who did it; `None` for a command on the server.
    pub actor: Option<UserId>,
    /// The user to whom it was done.
    pub subject: Option<UserId>,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// How often, where the row stands for several times.
    pub times: Option<i32>,
    /// What it says about a person.
    pub detail: Detail,
}

impl Action {
    /// All actions, each with its name.
    pub(crate) const ALL: &'static [(&'static str, Self)] = &[
        ("register", Self::Register),
        ("login", Self::Login),
        ("logout", Self::Logout),
        ("reuse_refresh_token", Self::ReuseRefreshToken),
        ("repeat_refresh", Self::RepeatRefresh),
        ("create_user", Self::CreateUser),
        ("change_user", Self::ChangeUser),
        ("delete_user", Self::DeleteUser),
        ("change_role", Self::ChangeRole),
        ("disable_user", Self::DisableUser),
        ("enable_user", Self::EnableUser),
        ("change_password", Self::ChangePassword),
        ("change_email", Self::ChangeEmail),
        ("verify_email", Self::VerifyEmail),
        ("restore_email", Self::RestoreEmail),
        ("reset_password", Self::ResetPassword),
        ("delete_unverified", Self::DeleteUnverified),
        ("revoke_sessions", Self::RevokeSessions),
        ("rotate_key", Self::RotateKey),
        ("create_admin", Self::CreateAdmin),
    ];

    fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, action)| *action == self);
        known.map_or("", |(name, _)| name)
    }
}

impl Outcome {
    /// All outcomes, each with its name.
    pub(crate) const ALL: &'static [(&'static str, Self)] =
        &[("done", Self::Done), ("failed", Self::Failed)];
}

impl Actor {
    /// A user who acts.
    pub(crate) fn user(id: UserId, detail: Detail) -> Self {
        Self {
            id: Some(id),
            detail,
        }
    }

    /// What the actor has done to a user.
    pub(crate) fn did(&self, action: Action, subject: UserId) -> Entry {
        Entry {
            actor: self.id,
            subject: Some(subject),
            action,
            outcome: Outcome::Done,
            times: None,
            detail: self.detail.clone(),
        }
    }
}

impl Entry {
    /// The same, about this e-mail.
    #[must_use]
    pub(crate) fn about(mut self, email: &str) -> Self {
        self.detail.email = Some(email.to_owned());
        self
    }
}

/// Writes an audit row.
pub(crate) async fn write(connection: &mut PgConnection, entry: Entry) -> sqlx::Result<()> {
    let outcome = match entry.outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
    };
    sqlx::query!(
        "with entry as (
             insert into users_audit (id, actor, subject, action, outcome, times)
             values ($1, $2, $3, $4, $5, $9) returning id)
         insert into users_audit_detail (audit_id, email, address, device)
         select id, $6, $7, $8 from entry
         where coalesce($6::text, $7::text, $8::text) is not null",
        Uuid::now_v7(),
        entry.actor.map(UserId::as_uuid),
        entry.subject.map(UserId::as_uuid),
        entry.action.name(),
        outcome,
        entry.detail.email,
        entry.detail.address.map(|address| address.to_string()),
        entry.detail.device,
        entry.times,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes what audit rows say about a person: the details of what the user did, of what was done to the user, and of
/// what names the e-mail.
pub(crate) async fn erase(
    connection: &mut PgConnection,
    id: UserId,
    email: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from users_audit_detail
         where email = lower($2)
            or audit_id in (select id from users_audit where actor = $1 union all select id from users_audit where subject = $1)",
        id.as_uuid(),
        email
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a user has or had this id.
pub(crate) async fn knows(connection: &mut PgConnection, id: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from users_audit where subject = $1) as "exists!""#,
        id.as_uuid()
    )
    .fetch_one(connection)
    .await
}

/// Deletes details of more than a year ago, at most `limit`, and returns how many there were.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from users_audit_detail where audit_id = any(array(
             select audit_id from users_audit_detail where at < now() - interval '1 year'
             limit $1 for update skip locked))",
        limit
    )
    .execute(connection)
    .await?;
    Ok(purged.rows_affected())
}

/// An audit row with its detail.
pub(crate) struct AuditLog {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub actor: Option<Uuid>,
    pub subject: Option<Uuid>,
    pub action: String,
    pub outcome: String,
    pub times: Option<i32>,
    pub email: Option<String>,
    pub address: Option<String>,
    pub device: Option<String>,
}

/// Selects audit rows. A field that is `None` selects all.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// What this user did, or what was done to this user.
    pub user_id: Option<Uuid>,
    /// Only this action.
    pub action: Option<&'static str>,
    /// What was done at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// What was done before this time.
    pub to: Option<DateTime<Utc>>,
}

/// Returns a page of audit rows, the newest first, and how many the filter selects. The transaction is one of
/// [`super::search::SNAPSHOT`].
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    rows: Rows,
) -> sqlx::Result<(Vec<AuditLog>, i64)> {
    let logs = sqlx::query_as!(
        AuditLog,
        r#"select audit.id, audit.at, actor, subject, action, outcome, times, email as "email?", address as "address?",
                  device as "device?"
           from (select * from users_audit
                 where ($1::uuid is null or actor = $1 or subject = $1)
                   and ($2::text is null or action = $2)
                   and ($3::timestamptz is null or at >= $3)
                   and ($4::timestamptz is null or at < $4)
                 order by at desc, id desc offset $5 limit $6) as audit
           left join users_audit_detail on audit_id = audit.id
           order by audit.at desc, audit.id desc"#,
        filter.user_id,
        filter.action,
        filter.from,
        filter.to,
        rows.offset,
        rows.limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "total!" from users_audit
           where ($1::uuid is null or actor = $1 or subject = $1)
             and ($2::text is null or action = $2)
             and ($3::timestamptz is null or at >= $3)
             and ($4::timestamptz is null or at < $4)"#,
        filter.user_id,
        filter.action,
        filter.from,
        filter.to,
    )
    .fetch_one(connection)
    .await?;
    Ok((logs, total))
}
