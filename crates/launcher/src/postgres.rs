//! A private PostgreSQL on loopback.

use crate::{
    command_spec::{CommandSpec, StopSignal},
    install,
    workspace::{create_private, write_private},
};
use anyhow::{Context as _, bail};
use nix::unistd::{User, chown, geteuid};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};
use uuid::Uuid;

/// The superuser of a private PostgreSQL.
pub(crate) const SUPERUSER: &str = "medtrack";

/// The login of operators, in every database.
pub(crate) const OPERATOR: &str = "operator";

/// One private PostgreSQL.
pub(crate) struct Postgres {
    bin: PathBuf,
    data: PathBuf,
    password: String,
    pub(crate) port: u16,
    account: Account,
}

/// The system user that runs the server. PostgreSQL refuses to run as root.
enum Account {
    /// The user of this process.
    Own,
    /// The user of this process, root, under another number in a user namespace; the files stay root's.
    Namespace,
    /// The user of the Debian package, where there are no user namespaces.
    Package(User),
}

impl Postgres {
    /// Uses the data in `dir`; initialises them when there are none.
    pub(crate) async fn prepare(dir: &Path, password: &str, port: u16) -> anyhow::Result<Self> {
        let bin = install::postgres_bin().context("PostgreSQL is not installed")?;
        let account = account().await?;
        let data = match &account {
            Account::Package(user) => dir_of_user(dir, user)?,
            _ => dir.to_owned(),
        }
        .join("postgres");
        let postgres = Self {
            bin,
            data,
            password: password.to_owned(),
            port,
            account,
        };
        if postgres.data.exists() {
            postgres.forget_dead_server();
        } else {
            postgres.initialise().await?;
        }
        Ok(postgres)
    }

    /// Initialises in a temporary directory, then renames it, so that a half-made cluster is never used.
    async fn initialise(&self) -> anyhow::Result<()> {
        let fresh = self.data.with_extension("new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        let password_file = self.data.with_extension("password");
        write_private(&password_file, &self.password)?;
        if let Account::Package(user) = &self.account {
            chown(&password_file, Some(user.uid), Some(user.gid))?;
        }
        let initdb = CommandSpec::new(self.bin.join("initdb"))
            .arg("-D")
            .arg(&fresh)
            .args([
                "-U",
                SUPERUSER,
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
            ])
            .arg(format!("--pwfile={}", password_file.display()));
        let output = self
            .by_account(initdb)
            .with_parent_death_signal()
            .output()
            .await
            .context("cannot run initdb")?;
        let _ = fs::remove_file(password_file);
        if !output.status.success() {
            bail!(
                "initdb failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        fs::rename(fresh, &self.data).context("cannot move the new cluster to its directory")
    }

    /// Removes the pid file of a dead server. After a restart of the machine another process may have that pid, and
    /// PostgreSQL would take that process for its server.
    fn forget_dead_server(&self) {
        let file = self.data.join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&file) else {
            return;
        };
        let command = fs::read(format!(
            "/proc/{}/cmdline",
            text.lines().next().unwrap_or_default()
        ));
        let data = self.data.as_os_str().as_encoded_bytes();
        if !command.is_ok_and(|command| command.split(|byte| *byte == 0).any(|word| word == data)) {
            let _ = fs::remove_file(file);
        }
    }

    fn by_account(&self, program: CommandSpec) -> CommandSpec {
        let outer: &[&str] = match &self.account {
            Account::Own => &[],
            Account::Namespace => &NAMESPACE,
            Account::Package(_) => &[
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ],
        };
        // The other user may not be able to enter the working directory of this process.
        program.inside(outer).dir("/")
    }

    /// The server, to be run in the foreground.
    pub(crate) fn server(&self) -> CommandSpec {
        let server = CommandSpec::new(self.bin.join("postgres"))
            .arg("-D")
            .arg(&self.data)
            .args(["-p", &self.port.to_string(), "-k", ""])
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=300",
            ])
            .args(["-c", "track_commit_timestamp=on"]);
        self.by_account(server).stop_signal(StopSignal::Int)
    }

    /// The server, which also counts the statements and the WAL of each database, for tests and the bench. It does so
    /// where its package has the module, as Debian's has.
    pub(crate) fn counting_server(&self) -> CommandSpec {
        let module = self.bin.join("../lib/pg_stat_statements.so");
        let server = self.server();
        if !module.exists() {
            return server;
        }
        server.args([
            "-c",
            "shared_preload_libraries=pg_stat_statements",
            // Each test has databases of its own, and none must push another one's statements out.
            "-c",
            "pg_stat_statements.max=50000",
        ])
    }

    pub(crate) fn url(&self, database: &str) -> String {
        url(SUPERUSER, &self.password, self.port, database)
    }

    /// Whether the server accepts connections.
    pub(crate) async fn is_ready(&self) -> bool {
        let check = CommandSpec::new(self.bin.join("pg_isready")).args([
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
        ]);
        check
            .command()
            .status()
            .await
            .is_ok_and(|status| status.success())
    }

    /// Waits until the server accepts connections. After a crash it syncs its whole directory first.
    pub(crate) async fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..1_200 {
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!(
            "PostgreSQL does not respond on port {} after a minute; try: ./medtrack logs postgres",
            self.port
        )
    }

    /// Runs `deploy/postgres/logins.sh`, which creates the databases and logins that are missing, with these passwords by
    /// the names of the variables that it reads.
    pub(crate) async fn create_logins(
        &self,
        repository: &Path,
        passwords: &[(String, String)],
    ) -> anyhow::Result<()> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut script = CommandSpec::new("sh")
            .arg(repository.join("deploy/postgres/logins.sh"))
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", SUPERUSER)
            .env("POSTGRES_PASSWORD", &self.password);
        for (variable, password) in passwords {
            script = script.env(variable, password);
        }
        let output = script.with_parent_death_signal().output().await;
        let output = output.context("cannot run deploy/postgres/logins.sh")?;
        if !output.status.success() {
            bail!(
                "deploy/postgres/logins.sh failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    /// Runs a script as the superuser.
    pub(crate) async fn psql(&self, script: &str) -> anyhow::Result<()> {
        use tokio::io::AsyncWriteExt as _;
        let mut command = self.psql_command("postgres").args(["-f", "-"]).command();
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().context("cannot run psql")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(script.as_bytes()).await?;
        }
        check_psql(&child.wait_with_output().await?)
    }

    /// Runs the script of a migration, as the superuser.
    pub(crate) async fn psql_file(&self, database: &str, file: &Path) -> anyhow::Result<()> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        // As sqlx does: in one transaction, unless the first line forbids it.
        let one = (!text.starts_with("-- no-transaction")).then_some("-1");
        let psql = self.psql_command(database).args(one).arg("-f").arg(file);
        let output = psql.command().output().await.context("cannot run psql")?;
        check_psql(&output)
    }

    fn psql_command(&self, database: &str) -> CommandSpec {
        let port = self.port.to_string();
        CommandSpec::new(self.bin.join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(["-U", SUPERUSER, "-d", database])
            .env("PGPASSWORD", &self.password)
    }
}

fn check_psql(output: &Output) -> anyhow::Result<()> {
    if !output.status.success() {
        bail!(
            "psql failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// An address on loopback.
pub(crate) fn url(user: &str, password: &str, port: u16, database: &str) -> String {
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

const NAMESPACE: [&str; 5] = [
    "unshare",
    "--user",
    "--map-user=1000",
    "--map-group=1000",
    "--",
];

async fn account() -> anyhow::Result<Account> {
    if !geteuid().is_root() {
        return Ok(Account::Own);
    }
    let outcome = CommandSpec::new("true")
        .inside(&NAMESPACE)
        .command()
        .output()
        .await;
    if outcome.is_ok_and(|output| output.status.success()) {
        return Ok(Account::Namespace);
    }
    let user = User::from_name("postgres")?
        .context("PostgreSQL needs its user, postgres; try: apt-get install postgresql")?;
    Ok(Account::Package(user))
}

/// Where the package's user keeps the data of `dir`, which it may not be able to enter.
fn dir_outside(dir: &Path) -> PathBuf {
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, dir.as_os_str().as_encoded_bytes());
    PathBuf::from(format!("/var/tmp/medtrack-{name}"))
}

fn dir_of_user(dir: &Path, user: &User) -> anyhow::Result<PathBuf> {
    let place = dir_outside(dir);
    if !place.exists() {
        create_private(&place)?;
        chown(&place, Some(user.uid), Some(user.gid))?;
    }
    let metadata = fs::symlink_metadata(&place)?;
    if !metadata.is_dir() || metadata.uid() != user.uid.as_raw() {
        bail!(
            "{} does not belong to the user {}; remove it and try again",
            place.display(),
            user.name
        );
    }
    Ok(place)
}

/// Removes the data of `dir` that lie outside of it.
pub(crate) fn remove_outside(dir: &Path) {
    let _ = fs::remove_dir_all(dir_outside(dir));
}
