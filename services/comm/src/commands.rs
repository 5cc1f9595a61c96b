//! The door for operators.

use crate::{config::Notifications, store::notifications};
use anyhow::ensure;
use service_kit::{Process, database};

/// Shows what students were told last.
///
/// # Errors
/// When there is nothing, or the database does not answer.
#[expect(clippy::print_stdout, reason = "this is a command's answer, not a log line")]
pub async fn notifications(config: Notifications, process: Process) -> anyhow::Result<()> {
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let limit = if config.latest { 1 } else { 20 };
    let told = notifications::latest_of_students(&mut *pool.acquire().await?, limit).await?;
    ensure!(!told.is_empty(), "no student has been told anything; try: medtrack doctor");
    for notification in told {
        println!("Notification: {}", notification.title);
        println!("Content: {}", notification.content);
    }
    Ok(())
}
