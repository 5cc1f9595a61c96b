//! Mails that need a person: no process sends them, the mail server does not take them, or it refused them for good.

use super::finding::{Finding, Id, seconds_since};
use crate::{
    endpoints::Endpoints,
    mails,
    words::{count, seconds},
};
use mail::admin;
use sqlx::PgConnection;

/// Looks at the mails of a service that sends some.
pub(super) async fn check(
    endpoints: &Endpoints,
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<Finding>> {
    let troubles = admin::troubles(connection).await?;
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    let (untried, retried) = (number(troubles.untried), number(troubles.retried));
    let mut findings = Vec::new();
    if let Some(since) = troubles.untried_since {
        let oldest = seconds(seconds_since(since));
        let what = format!(
            "no process has tried to send {}, the oldest for {oldest}",
            count(untried, "mail")
        );
        findings.push(
            Finding::warning(Id::MailsWaiting, what)
                .figure("mails", untried)
                .hint("auth-service has no MAIL_URL, or it does not run; none there means that no mail is to be sent")
                .try_(endpoints.command_line.operator("mail list --state queued")),
        );
    } else if retried > 0 {
        let why = troubles.failure.unwrap_or_default();
        let why = mails::failure(&why);
        let what = format!(
            "the mail server does not take {}: {why}",
            count(retried, "mail")
        );
        findings.push(
            Finding::warning(Id::MailsWaiting, what)
                .figure("mails", retried)
                .hint("each is tried again for about three days; `mail show` tells what the server said")
                .try_(endpoints.command_line.operator("mail list --state queued")),
        );
    }
    let failed = number(troubles.failed);
    if failed > 0 {
        let what = format!(
            "{} could not be sent, and will not be tried again",
            count(failed, "mail")
        );
        findings.push(
            Finding::warning(Id::MailsFailed, what)
                .figure("mails", failed)
                .hint("`mail show` tells why; `mail resend` tries again")
                .try_(endpoints.command_line.operator("mail list --state failed")),
        );
    }
    Ok(findings)
}
