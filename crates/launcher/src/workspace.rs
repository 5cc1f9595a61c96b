//! The directories: the repository, the directory `.medtrack/` in it that holds everything that runs, and those of the
//! compiled programs.

use anyhow::Context as _;
use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// The repository and the state directory.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// The repository.
    pub(crate) repository: PathBuf,
    /// `.medtrack/`, or MEDTRACK_HOME.
    pub(crate) state_dir: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> anyhow::Result<Self> {
        let repository = variable("MEDTRACK_ROOT").map_or_else(std::env::current_dir, Ok)?;
        let state_dir = variable("MEDTRACK_HOME").unwrap_or_else(|| repository.join(".medtrack"));
        // Absolute, because children have working directories of their own.
        Ok(Self {
            repository: std::path::absolute(repository)?,
            state_dir: std::path::absolute(state_dir)?,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.state_dir.join(name)
    }

    pub(crate) fn log(&self, unit: &str) -> PathBuf {
        self.state_dir.join("logs").join(format!("{unit}.log"))
    }

    /// Makes the state directory; only its owner may read it.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        create_private(&self.state_dir)?;
        for name in ["logs", "secrets"] {
            create_private(&self.path(name))?;
        }
        Ok(())
    }

    /// Returns a secret, which is generated at its first use.
    pub(crate) fn secret(&self, name: &str) -> anyhow::Result<String> {
        let path = self.path("secrets").join(name);
        if let Ok(secret) = fs::read_to_string(&path) {
            return Ok(secret);
        }
        let secret = Uuid::new_v4().simple().to_string();
        write_private(&path, &secret)?;
        Ok(secret)
    }

    /// The socket that a running `up` listens on. A socket's path may have 107 bytes at most.
    pub(crate) fn socket(&self) -> PathBuf {
        let path = self.path("control.sock");
        if path.as_os_str().len() < 100 {
            return path;
        }
        let name = Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            self.state_dir.as_os_str().as_encoded_bytes(),
        );
        std::env::temp_dir().join(format!("medtrack-{name}.sock"))
    }

    /// Makes this process the one that runs the stack; `None` when another process is.
    pub(crate) fn lock(&self) -> anyhow::Result<Option<Flock<File>>> {
        let path = self.path("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                lock.set_len(0)?;
                write!(lock, "{}", std::process::id())?;
                Ok(Some(lock))
            }
            Err(_) => Ok(None),
        }
    }

    /// Whether a process runs the stack.
    pub(crate) fn is_running(&self) -> anyhow::Result<bool> {
        Ok(self.state_dir.exists() && self.lock()?.is_none())
    }

    /// The directory that cargo builds into.
    pub(crate) fn target_dir(&self) -> PathBuf {
        let dir = variable("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        self.repository.join(dir)
    }

    /// `--release`, unless this launcher is a debug build: cargo then shares what it built together with this launcher.
    pub(crate) fn release_flag(&self) -> Option<&'static str> {
        (!cfg!(debug_assertions)).then_some("--release")
    }

    /// The process that holds the lock.
    pub(crate) fn owner(&self) -> String {
        fs::read_to_string(self.path("lock")).unwrap_or_default()
    }
}

/// The directory of the compiled programs: MEDTRACK_BIN_DIR, else this launcher's own directory.
pub(crate) fn binaries() -> anyhow::Result<PathBuf> {
    if let Some(dir) = variable("MEDTRACK_BIN_DIR") {
        return Ok(std::path::absolute(dir)?);
    }
    let launcher = std::env::current_exe().context("cannot find the launcher's own directory")?;
    Ok(launcher.with_file_name(""))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// Makes a directory that only its owner may read.
pub(crate) fn create_private(path: &Path) -> anyhow::Result<()> {
    let created = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    created.with_context(|| {
        format!(
            "cannot make the directory {}; check its permissions",
            path.display()
        )
    })
}

/// Replaces a file that only its owner may read, so that no reader ever sees a part of it.
pub(crate) fn replace_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    write_private(&fresh, text)?;
    fs::rename(&fresh, path).with_context(|| format!("cannot replace {}", path.display()))
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
