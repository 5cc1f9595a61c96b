//! The commands for operators.

use crate::{config::Student, store::students};
use anyhow::Context as _;
use service_kit::{Process, config::CommandConfig, database};

/// Shows a student's profile.
///
/// # Errors
/// When there is none, or the database does not answer.
#[expect(
    clippy::print_stdout,
    reason = "this is a command's response, not a log line"
)]
pub(crate) async fn student(
    config: CommandConfig<Student>,
    process: Process,
) -> anyhow::Result<()> {
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let student = students::by_email(&mut *pool.acquire().await?, &config.own.email).await?;
    let student = student.context(
        "no student has this e-mail; a user gets a profile within a moment; try: ./medtrack trace <e-mail>",
    )?;
    println!(
        "Student: {}, {} {}",
        student.id, student.first_name, student.last_name
    );
    Ok(())
}
