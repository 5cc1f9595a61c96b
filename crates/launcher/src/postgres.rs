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
    time::Duration,
};
use uuid::Uuid;

/// The superuser of a private PostgreSQL.
pub(crate) const SUPERUSER: &str = "medtrack";

/// One private PostgreSQL.
pub(crate) struct Postgres {
    bin: PathBuf,
    data: PathBuf,
    password: String,
    pub(crate) port: u16,
    account: Account,
}

/// Whose server it is. PostgreSQL refuses to run as root.
enum Account {
    /// Ours.
    Own,
    /// Ours, but a user namespace shows it as another: the files stay root's.
    Namespace,
    /// The package's user, where there are no user namespaces.
    Package(User),
}

impl Postgres {
    /// Its data live in `directory`; they are made when there are none.
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

    /// Beside its place, and then moved there: what is there is whole.
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
        fs::rename(fresh, &self.data).context("cannot put the new PostgreSQL in its place")
    }

    /// After a restart of the machine another process may have the pid of the server that died with it, and
    /// PostgreSQL would take that one for a server.
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
        // That user may not be able to enter our working directory.
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

    pub(crate) fn url(&self, database: &str) -> String {
        url(SUPERUSER, &self.password, self.port, database)
    }

    /// Whether it takes connections.
    pub(crate) async fn is_ready(&self) -> bool {
        let ask = CommandSpec::new(self.bin.join("pg_isready")).args([
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
        ]);
        ask.command()
            .status()
            .await
            .is_ok_and(|status| status.success())
    }

    /// Waits until it takes connections. After a crash it syncs its whole directory first.
    pub(crate) async fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..1_200 {
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!(
            "PostgreSQL does not answer on port {} after a minute; try: ./medtrack logs postgres",
            self.port
        )
    }

    /// Makes roles and databases that are missing: each database is its role's alone.
    pub(crate) async fn create_databases(
        &self,
        databases: &[(&str, &str, String)],
    ) -> anyhow::Result<()> {
        let mut script = String::from("set client_min_messages = warning;\n");
        for (database, role, password) in databases {
            script += &format!(
                "select 'create role {role} login' where not exists (select from pg_roles where rolname = '{role}') \\gexec\n\
                 alter role {role} password '{password}';\n\
                 select 'create database {database} owner {role}'
                     where not exists (select from pg_database where datname = '{database}') \\gexec\n\
                 revoke connect on database {database} from public;\n"
            );
        }
        self.psql(&script).await
    }

    /// Runs a script as the superuser.
    pub(crate) async fn psql(&self, script: &str) -> anyhow::Result<()> {
        use tokio::io::AsyncWriteExt as _;
        let psql = CommandSpec::new(self.bin.join("psql"))
            .args([
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
            ])
            .args(["-U", SUPERUSER, "-d", "postgres", "-f", "-"])
            .env("PGPASSWORD", &self.password);
        let mut command = psql.command();
        command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().context("cannot run psql")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(script.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            bail!(
                "psql failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }
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
    let tried = CommandSpec::new("true")
        .inside(&NAMESPACE)
        .command()
        .output()
        .await;
    if tried.is_ok_and(|output| output.status.success()) {
        return Ok(Account::Namespace);
    }
    let user = User::from_name("postgres")?
        .context("PostgreSQL needs its user, postgres; try: apt-get install postgresql")?;
    Ok(Account::Package(user))
}

/// Where the package's user keeps what belongs to `directory`: it may not be able to enter that one.
fn elsewhere(dir: &Path) -> PathBuf {
    let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, dir.as_os_str().as_encoded_bytes());
    PathBuf::from(format!("/var/tmp/medtrack-{name}"))
}

fn dir_of_user(dir: &Path, user: &User) -> anyhow::Result<PathBuf> {
    let place = elsewhere(dir);
    if !place.exists() {
        create_private(&place)?;
        chown(&place, Some(user.uid), Some(user.gid))?;
    }
    let found = fs::symlink_metadata(&place)?;
    if !found.is_dir() || found.uid() != user.uid.as_raw() {
        bail!(
            "{} is not the directory of the user {}; remove it and try again",
            place.display(),
            user.name
        );
    }
    Ok(place)
}

/// Removes what belongs to `directory` and lies elsewhere.
pub(crate) fn forget(dir: &Path) {
    let _ = fs::remove_dir_all(elsewhere(dir));
}
