//! The door for operators.

use crate::{config::Notifications, store::notifications};
use anyhow::ensure;
use service_kit::{Process, database};
use std::io::Write as _;

/// Shows what students were told last.
///
/// # Errors
/// When there is nothing, or the database does not answer.
pub async fn notifications(config: Notifications, process: Process) -> anyhow::Result<()> {
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let limit = if config.latest { 1 } else { 20 };
    let told = notifications::latest_of_students(&mut *pool.acquire().await?, limit).await?;
    ensure!(
        !told.is_empty(),
        "no student has been told anything; try: ./medtrack doctor"
    );
    let mut response = String::new();
    for notification in told {
        response += &format!(
            "Notification: {}\nContent: {}\n",
            notification.title, notification.content
        );
    }
    // Whoever has read enough, as in `| head -1`, is no error.
    let _ = std::io::stdout().write_all(response.as_bytes());
    Ok(())
}
