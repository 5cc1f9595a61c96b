//! A private PostgreSQL on loopback.

use crate::{
    home::write_private,
    install,
    program::{Farewell, Program},
};
use anyhow::{Context as _, bail};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The superuser of a private PostgreSQL.
pub(crate) const SUPERUSER: &str = "medtrack";

/// One private PostgreSQL.
pub(crate) struct Postgres {
    bin: PathBuf,
    data: PathBuf,
    password: String,
    pub(crate) port: u16,
    outer: Vec<&'static str>,
}

impl Postgres {
    /// Its data live in `folder`; they are made when there are none.
    pub(crate) async fn prepare(folder: &Path, password: &str, port: u16) -> anyhow::Result<Self> {
        let bin = install::postgres_bin().context("PostgreSQL is not installed")?;
        let data = folder.join("postgres");
        let postgres = Self { bin, password: password.to_owned(), port, outer: wrapper(&data).await?, data };
        if !postgres.data.join("PG_VERSION").exists() {
            postgres.initialise(folder).await?;
        }
        Ok(postgres)
    }

    async fn initialise(&self, folder: &Path) -> anyhow::Result<()> {
        // A half-made cluster of a launcher that was killed.
        if self.data.join("base").exists() {
            std::fs::remove_dir_all(&self.data)?;
        }
        let password_file = folder.join("initdb-password");
        write_private(&password_file, &self.password)?;
        let initdb = Program::new(self.bin.join("initdb"))
            .arg("-D")
            .arg(&self.data)
            .args(["-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
            .arg(format!("--pwfile={}", password_file.display()))
            .inside(&self.outer);
        let output = initdb.command().output().await.context("cannot run initdb")?;
        let _ = std::fs::remove_file(password_file);
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// The server, to be run in the foreground.
    pub(crate) fn server(&self) -> Program {
        Program::new(self.bin.join("postgres"))
            .arg("-D")
            .arg(&self.data)
            .args(["-p", &self.port.to_string(), "-k", ""])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300"])
            .args(["-c", "track_commit_timestamp=on"])
            .inside(&self.outer)
            .farewell(Farewell::Int)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        url(SUPERUSER, &self.password, self.port, database)
    }

    /// Whether it takes connections.
    pub(crate) async fn is_ready(&self) -> bool {
        let ask = Program::new(self.bin.join("pg_isready")).args([
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
        ]);
        ask.command().status().await.is_ok_and(|status| status.success())
    }

    /// Waits until it takes connections.
    pub(crate) async fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..600 {
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("PostgreSQL does not answer on port {} after 30 s", self.port)
    }

    /// Makes roles and databases that are missing: each database is its role's alone.
    pub(crate) async fn create_databases(&self, databases: &[(&str, &str, String)]) -> anyhow::Result<()> {
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
        let psql = Program::new(self.bin.join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &self.port.to_string()])
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
            bail!("psql failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

/// An address on loopback.
pub(crate) fn url(user: &str, password: &str, port: u16, database: &str) -> String {
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

/// PostgreSQL refuses to run as root. In a user namespace it sees another user, and the files stay root's; where
/// there are no user namespaces it runs as the package's user, in a folder of that user's.
async fn wrapper(data: &Path) -> anyhow::Result<Vec<&'static str>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(Vec::new());
    }
    const UNSHARE: [&str; 5] = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"];
    let works = Program::new("true")
        .inside(&UNSHARE)
        .command()
        .output()
        .await
        .is_ok_and(|output| output.status.success());
    if works {
        return Ok(UNSHARE.to_vec());
    }
    std::fs::create_dir_all(data)?;
    let user = nix::unistd::User::from_name("postgres")?.context("there is no user postgres")?;
    nix::unistd::chown(data, Some(user.uid), Some(user.gid))?;
    Ok(vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
}
