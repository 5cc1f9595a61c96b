//! Python for tests of publishers that are not written in Rust.

use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Returns a directory to import pika from, in `target`, where it is installed if it is missing; the directory is empty where
/// the system has pika. `None`: there is neither pika nor pip.
pub async fn pika(target: &Path) -> Option<PathBuf> {
    let dir = target.join("pika");
    let python = |arguments: &[&str]| {
        let mut command = Command::new("python3");
        command
            .args(arguments)
            .env("PYTHONPATH", &dir)
            .kill_on_drop(true);
        async move {
            command
                .output()
                .await
                .is_ok_and(|output| output.status.success())
        }
    };
    let target = dir.display().to_string();
    let installed = python(&["-c", "import pika"]).await
        || python(&[
            "-m", "pip", "install", "--quiet", "--target", &target, "pika",
        ])
        .await
            && python(&["-c", "import pika"]).await;
    installed.then_some(dir)
}
