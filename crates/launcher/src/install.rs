//! The programs that the machine must have: PostgreSQL, RabbitMQ and Caddy, as Debian packages.

use crate::{command_spec::CommandSpec, output::say};
use anyhow::{Context as _, bail};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tokio::signal::unix::{SignalKind, signal};

/// The directory of PostgreSQL's programs, of the highest version that is installed.
pub(crate) fn postgres_bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let version = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
    };
    let installed = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").exists());
    installed
        .max_by_key(|path| version(path))
        .map(|path| path.join("bin"))
}

/// RabbitMQ's own start script. Debian's wrapper only works with the system's directories.
pub(crate) fn rabbitmq_script() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/rabbitmq/lib").into_iter().flatten();
    let scripts = versions
        .flatten()
        .filter_map(|entry| rabbitmq_script_in(&entry.path()).ok());
    scripts.max().context("RabbitMQ is not installed")
}

/// The start script of a RabbitMQ in a directory of its own, as its generic archive unpacks it.
pub(crate) fn rabbitmq_script_in(dir: &Path) -> anyhow::Result<PathBuf> {
    let script = dir.join("sbin/rabbitmq-server");
    // The broker runs in another directory.
    fs::canonicalize(&script).with_context(|| {
        format!(
            "there is no {}; name the directory that RabbitMQ was unpacked into",
            script.display()
        )
    })
}

/// Installs the programs that are missing, where that is allowed; else names them.
pub(crate) async fn ensure(gateway: bool, allowed: bool) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    if postgres_bin().is_none() {
        missing.push("postgresql");
    }
    if rabbitmq_script().is_err() {
        missing.push("rabbitmq-server");
    }
    if gateway && !on_path("caddy") {
        missing.push("caddy");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let by_hand =
        format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {list}");
    if !allowed || !nix::unistd::geteuid().is_root() || !on_path("apt-get") {
        bail!("missing on this machine: {list}; try: {by_hand}");
    }
    say(&format!(
        "Installing {list} from this system's packages (their own services are not started)"
    ));
    // With these, a signal does not end this process at once: it has to remove its temporary files under /etc and /usr.
    // Ctrl-C in the terminal also ends apt-get.
    let _interrupt = signal(SignalKind::interrupt())?;
    let _terminate = signal(SignalKind::terminate())?;
    let _quiet = Quiet::new(missing.contains(&"postgresql"))?;
    apt(&["update"]).await?;
    let install = ["install", "-y", "--no-install-recommends"]
        .into_iter()
        .chain(missing.iter().copied());
    apt(&install.collect::<Vec<_>>()).await
}

async fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let command = CommandSpec::new("apt-get")
        .arg("-q")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    let output = command
        .command()
        .output()
        .await
        .context("cannot run apt-get")?;
    if !output.status.success() {
        bail!(
            "apt-get {} failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// Keeps the packages from starting their own servers until it is dropped.
struct Quiet {
    files: Vec<PathBuf>,
}

impl Quiet {
    fn new(postgres: bool) -> anyhow::Result<Self> {
        let mut quiet = Self { files: Vec::new() };
        quiet.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)?;
        if postgres {
            quiet.write(
                "/etc/postgresql-common/createcluster.conf",
                "create_main_cluster = false\n",
                0o644,
            )?;
        }
        Ok(quiet)
    }

    fn write(&mut self, path: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let path = PathBuf::from(path);
        if path.exists() {
            return Ok(());
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        self.files.push(path);
        Ok(())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        for path in &self.files {
            let _ = fs::remove_file(path);
        }
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(program).exists())
}
