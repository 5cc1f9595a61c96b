//! Python for tests of what is not written in Rust: publishers, and services that read our tokens.

use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Returns a directory to import pika from, see [`module`].
pub async fn pika(target: &Path) -> Option<PathBuf> {
    module(target, "pika", "pika").await
}

/// Returns a directory to import a module from, in `target`, where its package is installed if it is missing; the directory
/// is empty where the system has the module. `None`: there is neither the module nor pip.
pub async fn module(target: &Path, module: &str, package: &str) -> Option<PathBuf> {
    let dir = target.join(module);
    let import = format!("import {module}");
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
    let installed = python(&["-c", &import]).await
        || python(&[
            "-m", "pip", "install", "--quiet", "--target", &target, package,
        ])
        .await
            && python(&["-c", &import]).await;
    installed.then_some(dir)
}
