//! The commands for operators.

use crate::{config::Notifications, store::notifications};
use anyhow::ensure;
use service_kit::{Process, config::CommandConfig, database};
use std::io::Write as _;

/// Shows the newest notifications about students.
///
/// # Errors
/// When there is nothing, or the database does not answer.
pub(crate) async fn notifications(
    config: CommandConfig<Notifications>,
    process: Process,
) -> anyhow::Result<()> {
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let limit = if config.own.latest { 1 } else { 20 };
    let rows = notifications::latest_of_students(&mut *pool.acquire().await?, limit).await?;
    ensure!(
        !rows.is_empty(),
        "no student has a notification; try: ./medtrack doctor"
    );
    let mut response = String::new();
    for notification in rows {
        response += &format!(
            "Notification: {}\nContent: {}\n",
            notification.title, notification.content
        );
    }
    // A reader that closes its end early, such as `head -1`, is not an error.
    let _ = std::io::stdout().write_all(response.as_bytes());
    Ok(())
}
