//! Mails as files, for development: each can be opened in a mail program.

use chrono::Utc;
use std::{
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};
use tokio::{fs, io::AsyncWriteExt as _};

/// Writes a mail into the directory, under a name that sorts by time. Only the user of this process may read it, because
/// it holds a link.
pub(crate) async fn write(dir: &Path, name: &str, text: &[u8]) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let time = Utc::now().format("%Y%m%dT%H%M%S%.3f");
    // A reader never sees half a mail.
    let temporary = dir.join(format!(".{time}-{name}"));
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .await?;
    file.write_all(text).await?;
    file.flush().await?;
    fs::rename(&temporary, dir.join(format!("{time}-{name}.eml"))).await
}
