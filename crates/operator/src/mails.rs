//! The mails of all services that send some: at present auth-service.

use crate::endpoints::Endpoints;
use anyhow::bail;
use events::topology::AUTH;
use mail::admin::{self, MailFilter, MailRow};
use uuid::Uuid;

/// Returns the mails that `filter` selects, the newest first, at most `limit`. The addresses of their recipients are masked.
pub(crate) async fn list(
    endpoints: &Endpoints,
    filter: &MailFilter,
    limit: usize,
) -> anyhow::Result<Vec<MailRow>> {
    let mut connection = endpoints.database(&AUTH).await?;
    let mut rows = admin::mails(&mut connection, filter, limit.try_into()?).await?;
    for row in &mut rows {
        row.recipient = row.recipient.as_deref().map(masked);
    }
    Ok(rows)
}

/// Returns one mail, as [`list`] does.
pub(crate) async fn show(endpoints: &Endpoints, id: Uuid) -> anyhow::Result<MailRow> {
    let filter = MailFilter {
        id: Some(id),
        ..MailFilter::default()
    };
    match list(endpoints, &filter, 1).await?.pop() {
        Some(row) => Ok(row),
        None => bail!(
            "no mail has this id; rows are deleted after 30 days; {}",
            endpoints.advice("mail list")
        ),
    }
}

/// Has a mail sent again, with a new link.
pub(crate) async fn resend(endpoints: &Endpoints, id: Uuid, person: &str) -> anyhow::Result<()> {
    let mut connection = endpoints.database(&AUTH).await?;
    if admin::resend(&mut connection, id, person).await? {
        return Ok(());
    }
    let row = show(endpoints, id).await?;
    if row.recipient.is_none() {
        bail!(
            "its recipient was deleted, a day after it was sent; the user can ask for another one"
        );
    }
    bail!(
        "it is being sent at the moment; {}",
        endpoints.advice(&format!("mail show {id}"))
    )
}

/// A failure of a mail, as a sentence says it.
pub(crate) fn failure(code: &str) -> &str {
    match code {
        "unreachable" => "it does not answer",
        "set_up" => "it refuses the TLS, the login or the sender (MAIL_URL, MAIL_FROM)",
        "deferred" => "it asks for a later try",
        "refused" => "it refused the mail",
        "unanswered" => "it did not answer after the last byte",
        "worker_ended" => "the process that sent the mail ended",
        "off" => "no mail is to be sent",
        "obsolete" => "its cause has passed",
        other => other,
    }
}

/// The first letter of an address, and its domain. A person who knows the address recognises it.
fn masked(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}…@{domain}")
        }
        None => "…".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_address_shows_one_letter_and_the_domain() {
        assert_eq!(masked("amina@example.org"), "a…@example.org");
        assert_eq!(masked("أمينة@example.org"), "أ…@example.org");
        assert_eq!(masked("no address"), "…");
    }
}
