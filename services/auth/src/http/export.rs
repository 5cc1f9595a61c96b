//! What this service holds of the user who asks.

use super::{App, audit::AuditLog, errors::gone, session_list::Session, users::User};
use crate::store::{
    self,
    audit::{self, Filter},
    search::{self, Rows},
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use mail::admin::MailFilter;
use serde::Serialize;
use service_kit::http::{Common, CurrentUser, Problem, detached, docs::problems};
use utoipa::ToSchema;

/// The most audit rows and mails of an answer.
const MOST: i64 = 1000;
/// Where the other services hand out what they hold.
const OTHERS: [&str; 2] = ["/profile/api/me/export", "/comm/api/export"];

/// What auth-service holds of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct Export {
    exported_at: DateTime<Utc>,
    user: User,
    /// Those that have not ended.
    sessions: Vec<Session>,
    /// What the user did, and what was done to the user: the last 1,000. Of what others did, it leaves out from where.
    audit_logs: Vec<AuditLog>,
    /// The last 1,000 of the last 30 days. Their texts are not kept.
    mails: Vec<SentMail>,
    /// The routes of the other services that answer with what they hold.
    #[schema(examples(json!(OTHERS)))]
    others: [&'static str; 2],
}

/// A mail to the user.
#[derive(Serialize, ToSchema)]
struct SentMail {
    /// Which mail it is.
    #[schema(examples("verification"))]
    kind: String,
    /// The address; `null` from a day after it was sent.
    #[schema(examples("test.student@example.com"))]
    recipient: Option<String>,
    /// `queued`, `sending`, `sent`, `failed` or `unknown`.
    #[schema(examples("sent"))]
    state: String,
    /// When it was written.
    created_at: DateTime<Utc>,
    /// When it was sent or failed.
    finished_at: Option<DateTime<Utc>>,
}

/// Returns what this service holds of the user, as one document.
#[utoipa::path(
    get,
    path = "/auth/api/v1/users/me/export",
    tag = "users/me",
    security(("access_token" = [])),
    responses((status = OK, description = "All of it.", body = Export)),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound]))))
)]
pub(super) async fn export(
    current: CurrentUser,
    State(app): State<App>,
) -> Result<Json<Export>, Problem> {
    let id = current.id;
    detached(async move {
        let mut tx = app.pool.begin_with(search::SNAPSHOT).await?;
        let user = store::users::by_id(&mut tx, id).await?.ok_or_else(gone)?;
        let sessions = store::sessions::list(&mut tx, id).await?;
        let filter = Filter {
            user_id: Some(id.as_uuid()),
            ..Filter::default()
        };
        let rows = Rows {
            offset: 0,
            limit: MOST,
        };
        let (audit_logs, _) = audit::list(&mut tx, &filter, rows).await?;
        let filter = MailFilter {
            user_id: Some(id.as_uuid()),
            ..MailFilter::default()
        };
        let mails = mail::admin::mails(&mut tx, &filter, MOST).await?;
        tx.commit().await?;
        let of_others =
            |row: &audit::AuditLog| row.actor.is_some_and(|actor| actor != id.as_uuid());
        let audit_logs = audit_logs.into_iter().map(|row| match of_others(&row) {
            true => AuditLog::from(audit::AuditLog {
                address: None,
                device: None,
                ..row
            }),
            false => AuditLog::from(row),
        });
        Ok(Json(Export {
            exported_at: Utc::now(),
            user: user.into(),
            sessions: { sessions.into_iter() }
                .map(|session| Session::shown(session, current.session_id))
                .collect(),
            audit_logs: audit_logs.collect(),
            mails: mails.into_iter().map(SentMail::from).collect(),
            others: OTHERS,
        }))
    })
    .await
}

impl From<mail::admin::MailRow> for SentMail {
    fn from(row: mail::admin::MailRow) -> Self {
        Self {
            kind: row.kind,
            recipient: row.recipient,
            state: row.state,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}
