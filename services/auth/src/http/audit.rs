//! The audit log, for administrators.

use super::{App, admin::Administrator, fields::Time};
use crate::{
    domain::Email,
    store::{
        audit::{self, Action, Detail, Entry, Outcome},
        search::{self, Rows},
    },
};
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use events::UserId;
use serde::Serialize;
use service_kit::{
    http::{
        Common, Problem,
        body::one_of,
        detached,
        docs::problems,
        list::{Choice, List, ListQuery, OneOf, PageParameters},
    },
    query,
};
use utoipa::{ToSchema, openapi::Object as Schema};
use uuid::Uuid;

/// Something that was done.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditLog {
    /// The row.
    id: Uuid,
    /// When it was done.
    at: DateTime<Utc>,
    /// The user who did it; `null` for a command on the server, and for a log-in that failed.
    actor: Option<Uuid>,
    /// The user to whom it was done.
    subject: Option<Uuid>,
    #[schema(schema_with = action_schema)]
    action: String,
    #[schema(schema_with = outcome_schema)]
    outcome: String,
    /// How often it was done; only of `repeat_refresh`, which is written a minute later: a client that received no response
    /// used the same refresh token again.
    #[schema(examples(2))]
    times: Option<i32>,
    /// The e-mail that it was about. Deleted with the user, as the next two are, and after a year.
    #[schema(examples("test.student@example.com"))]
    email: Option<String>,
    /// The address of the client.
    #[schema(examples("192.0.2.1"))]
    address: Option<String>,
    /// What the client says about itself.
    #[schema(examples("Mozilla/5.0"))]
    device: Option<String>,
}

fn action_schema() -> Schema {
    let names = Action::ALL.iter().map(|(name, _)| *name);
    one_of(names).description(Some("What was done.")).build()
}

fn outcome_schema() -> Schema {
    let names = Outcome::ALL.iter().map(|(name, _)| *name);
    one_of(names).description(Some("How it ended.")).build()
}

impl Choice for Action {
    const ALL: &'static [(&'static str, Self)] = Self::ALL;
}

impl From<audit::AuditLog> for AuditLog {
    fn from(row: audit::AuditLog) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor,
            subject: row.subject,
            action: row.action,
            outcome: row.outcome,
            times: row.times,
            email: row.email,
            address: row.address,
            device: row.device,
        }
    }
}

query! {
    /// Which rows the list has.
    pub(super) struct AuditQuery {
        /// Only what this user did, or what was done to this user.
        user_id: Uuid = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// Only this action.
        action: OneOf<Action> = "login",
        /// Only what was done at this time or later.
        from: Time = "2026-01-01T00:00:00Z",
        /// Only what was done before this time.
        to: Time = "2026-02-01T00:00:00Z",
    }
}

/// Writes that a log-in failed, in a transaction of its own.
pub(super) async fn write_failed_login(
    app: &App,
    subject: Option<UserId>,
    email: &str,
    detail: Detail,
) -> Result<(), Problem> {
    // A text that is no address may be a password that stands in the wrong field.
    let email = Email::parse(email).ok();
    let entry = Entry {
        actor: None,
        subject,
        action: Action::Login,
        outcome: Outcome::Failed,
        times: None,
        detail: Detail {
            email: email.map(|email| email.as_str().to_owned()),
            ..detail
        },
    };
    let pool = app.pool.clone();
    detached(async move {
        let mut tx = pool.begin().await?;
        audit::write(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Audit rows.
type AuditLogs = List<AuditLog>;

/// Who did what to whom, the newest first, for administrators.
///
/// The first hundred as a bare array, with their number in `X-Total-Count`; with `page` or `limit` a page with its
/// numbers.
#[utoipa::path(
    get,
    path = "/auth/api/v1/audit-logs",
    tag = "audit",
    security(("access_token" = [])),
    params(AuditQuery, PageParameters),
    responses((
        status = OK,
        description = "The rows.",
        body = AuditLogs,
        headers(
            ("X-Total-Count" = i64, description = "How many there are. Only without `page` and `limit`."),
            ("Link" = String, description = "The next page (`rel=\"next\"`), where there is one; its shape is `Page`. \
                                             Only without `page` and `limit`."),
        ),
    )),
    extensions(("x-problems" = json!(problems(&[&Common::Forbidden]))))
)]
pub(super) async fn list(
    _: Administrator,
    query: ListQuery<AuditQuery>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    let (own, paging) = (query.own, query.paging);
    let filter = audit::Filter {
        user_id: own.user_id,
        action: own.action.map(OneOf::name),
        from: own.from.map(|time| time.0),
        to: own.to.map(|time| time.0),
    };
    let rows = Rows {
        offset: paging.offset(),
        limit: paging.limit(),
    };
    let (logs, total) = detached(async move {
        let mut tx = app.pool.begin_with(search::SNAPSHOT).await?;
        let logs = audit::list(&mut tx, &filter, rows).await?;
        tx.commit().await?;
        Ok(logs)
    })
    .await?;
    let logs: Vec<AuditLog> = logs.into_iter().map(AuditLog::from).collect();
    Ok(paging.respond(logs, total))
}
