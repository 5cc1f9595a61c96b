//! A stack in a directory of its own, and what a person types there.

use events::topology::{SERVICES, Unit};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};
use test_support::{eventually, servers};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
};
use uuid::Uuid;

/// Two processes of each service, PostgreSQL, epmd, RabbitMQ and the gateway.
pub(crate) const PROCESSES: usize = 2 * SERVICES.len() + 4;

/// A directory with a stack in it, which is removed at the end of the test.
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir =
            std::env::temp_dir().join(format!("mt-{}", &Uuid::new_v4().simple().to_string()[..8]));
        fs::create_dir(&dir).expect("a new dir can be made");
        Self { dir }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.dir)
            .env("MEDTRACK_HOME", self.dir.join(".medtrack"))
            .env("MEDTRACK_ROOT", root())
            .env("CORS_ORIGINS", "http://localhost:9876")
            .env(
                "MEDTRACK_BIN_DIR",
                servers::binary("launcher")
                    .parent()
                    .expect("a binary lies in a directory"),
            )
            .kill_on_drop(true);
        command
    }

    /// Runs `medtrack …`; returns what it printed.
    pub(crate) async fn medtrack(&self, arguments: &str) -> String {
        let mut command = self.command(root().join("medtrack"));
        let output = command.args(arguments.split_whitespace()).output().await;
        let output = output.unwrap_or_else(|error| panic!("medtrack {arguments}: {error}"));
        assert!(
            output.status.success(),
            "medtrack {arguments}: {}",
            text(&output)
        );
        text(&output)
    }

    /// Runs lines of shell as they are in the README.
    pub(crate) async fn shell(&self, script: &str) -> String {
        let medtrack = format!(
            "medtrack() {{ {} \"$@\"; }}\n",
            root().join("medtrack").display()
        );
        let script = format!("{medtrack}{}", script.replace("./medtrack", "medtrack"));
        let output = self
            .command("bash")
            .args(["-euc", &script])
            .output()
            .await
            .expect("there is a shell");
        assert!(output.status.success(), "{script}\n{}", text(&output));
        text(&output)
    }

    /// Holds the lock of PostgreSQL, as a server does that is about to end, until a new server has failed to start.
    pub(crate) async fn hold_postgres(&self) -> Option<JoinHandle<io::Result<ExitStatus>>> {
        let data = self.dir.join(".medtrack/postgres");
        if !data.exists() {
            return None; // The data belong to another user, whose lock this user cannot take.
        }
        let lock = data.join("postmaster.pid");
        eventually(
            Duration::from_secs(20),
            "the server of the killed launcher ends",
            async || !lock.exists(),
        )
        .await;
        let script = "until grep -q 'lock file \"postmaster.pid\" already exists' postgres.log; do sleep 0.02; done";
        let mut decoy = self.command("sh");
        decoy
            .args(["-c", script, "sh"])
            .arg(data)
            .current_dir(self.dir.join(".medtrack/logs"));
        let mut decoy = decoy.spawn().expect("there is a shell");
        fs::write(lock, decoy.id().expect("it runs").to_string()).expect("the lock can be written");
        Some(tokio::spawn(async move { decoy.wait().await }))
    }

    pub(crate) fn children(&self) -> Vec<String> {
        let list = fs::read_to_string(self.dir.join(".medtrack/children")).unwrap_or_default();
        list.lines()
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect()
    }

    /// Starts the stack in a terminal that closes at once: its pipes have no reader.
    pub(crate) fn up_without_terminal(&self) -> Child {
        let mut command = self.command(root().join("medtrack"));
        command
            .arg("up")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut launcher = command.spawn().expect("the launcher starts");
        drop((launcher.stdout.take(), launcher.stderr.take()));
        launcher
    }

    pub(crate) async fn wait_until_ready(&self) {
        eventually(Duration::from_secs(60), "the stack is ready", async || {
            let ps = self
                .command(root().join("medtrack"))
                .arg("ps")
                .output()
                .await;
            ps.is_ok_and(|ps| {
                ps.status.success() && text(&ps).matches(" running ").count() == PROCESSES
            })
        })
        .await;
    }

    /// The list that the launcher writes for the operator's command.
    pub(crate) fn units(&self) -> Vec<Unit> {
        let text = fs::read_to_string(self.dir.join(".medtrack/units.json"));
        serde_json::from_str(&text.expect("the launcher writes units.json"))
            .expect("it is a list of units")
    }

    /// The inbox of the user that the README's walk has registered.
    pub(crate) async fn inbox(&self) -> String {
        self.shell(
            r#". .medtrack/env
            TOKEN=$(sed 's/.*"access_token":"\([^"]*\)".*/\1/' registered.json)
            curl -s -H "Authorization: Bearer $TOKEN" $GATEWAY_URL/comm/api/notifications/"#,
        )
        .await
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let stop = std::process::Command::new(root().join("medtrack"))
            .arg("stop")
            .env(
                "MEDTRACK_BIN_DIR",
                servers::binary("launcher")
                    .parent()
                    .expect("a binary lies in a directory"),
            )
            .env("MEDTRACK_HOME", self.dir.join(".medtrack"))
            .env("MEDTRACK_ROOT", root())
            .output();
        drop(stop);
        let _ = fs::remove_dir_all(&self.dir);
    }
}

pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the package lies in the repository")
        .to_owned()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
