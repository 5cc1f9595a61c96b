//! The launcher as a person uses it: the README's commands, a broker that is stopped, a launcher that is killed.

use serde_json::Value;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Output},
    time::Duration,
};
use test_support::{eventually, servers};
use tokio::{process::Command, task::JoinHandle};
use uuid::Uuid;

/// A directory with a stack in it; gone with the test.
struct Home {
    dir: PathBuf,
}

impl Home {
    fn new() -> Self {
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
            .env(
                "MEDTRACK_BIN_DIR",
                servers::binary("launcher")
                    .parent()
                    .expect("a binary lies in a directory"),
            )
            .kill_on_drop(true);
        command
    }

    /// Runs `medtrack …`; returns what it said.
    async fn medtrack(&self, arguments: &str) -> String {
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

    /// Runs lines of shell as the README has them.
    async fn shell(&self, script: &str) -> String {
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

    /// Stands in the way of the next PostgreSQL, as a server does that is not quite dead, until one has given up.
    async fn hold_postgres(&self) -> Option<JoinHandle<io::Result<ExitStatus>>> {
        let data = self.dir.join(".medtrack/postgres");
        if !data.exists() {
            return None; // It belongs to the package's user, who cannot be held up by one of ours.
        }
        let lock = data.join("postmaster.pid");
        eventually(
            Duration::from_secs(20),
            "the killed one's server ends",
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

    fn children(&self) -> Vec<String> {
        let list = fs::read_to_string(self.dir.join(".medtrack/children")).unwrap_or_default();
        list.lines()
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect()
    }

    /// Inbox of whoever the README's walk has registered.
    async fn inbox(&self) -> String {
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

fn root() -> PathBuf {
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

/// The shell blocks of the README, in their order.
fn readme_blocks() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let blocks = readme.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn the_readmes_walk_works_and_survives_what_it_says_it_does() {
    let home = Home::new();
    let said = home.medtrack("up --detach").await;
    assert!(said.contains("is ready"), "{said}");
    let said = home.medtrack("up").await;
    assert!(
        said.contains("already running (pid ") && said.contains("is ready"),
        "{said}"
    );
    let units = home.medtrack("ps").await;
    assert_eq!(
        units
            .lines()
            .filter(|line| line.contains(" running "))
            .count(),
        10,
        "{units}"
    );

    // The walk, and the greps.
    let blocks = readme_blocks();
    home.shell(&blocks[1]).await;
    eventually(Duration::from_secs(5), "the welcome", async || {
        home.inbox().await.contains("Welcome to MedTrack!")
    })
    .await;
    let seen = home.shell(&blocks[2]).await;
    for line in [
        "INFO Published event: auth.user.created",
        "INFO ✅ Created student profile for user ",
        "INFO Published event: student.created",
        "INFO ✅ Created notification for user ",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    let environment =
        fs::read_to_string(home.dir.join(".medtrack/env")).expect("up writes the addresses");
    for name in [
        "GATEWAY_URL",
        "AUTH_URL",
        "PROFILE_URL",
        "COMM_URL",
        "AUTH_DATABASE_URL",
        "PROFILE_DATABASE_URL",
        "COMM_DATABASE_URL",
        "AMQP_URL",
        "RABBITMQ_MANAGEMENT_URL",
    ] {
        assert!(
            environment.contains(&format!("{name}='")),
            "{name} in {environment}"
        );
    }
    let management = home
        .shell(". .medtrack/env; curl -sf $RABBITMQ_MANAGEMENT_URL/api/queues")
        .await;
    let queues: Value =
        serde_json::from_str(&management).expect("the management API answers in JSON");
    assert_eq!(
        queues.as_array().map(Vec::len),
        Some(6),
        "three queues and their .crashed twins"
    );
    let nothing = home
        .shell(". .medtrack/env; curl -s $GATEWAY_URL/nothing")
        .await;
    assert!(nothing.contains("NOT_FOUND"), "{nothing}");

    let demo = home.medtrack("demo").await;
    assert_eq!(demo.matches("complete in ").count(), 2, "{demo}");
    assert!(
        demo.contains("Welcome to MedTrack!") && demo.contains("Welcome as Encadrant!"),
        "{demo}"
    );
    let doctor = home.medtrack("doctor").await;
    assert!(
        doctor.contains("comm-consumer is ready") && doctor.contains(" 0 broken"),
        "{doctor}"
    );

    // A service sees its own database only.
    let stranger = ". .medtrack/env; ! psql \"${AUTH_DATABASE_URL%/*}/comm_db\" -c 'select 1' 2>&1";
    let refused = home.shell(stranger).await;
    assert!(refused.contains("permission denied"), "{refused}");

    // Who guesses passwords is counted by the address that the gateway sees, not by what he says.
    let guesses = home
        .shell(
            r#". .medtrack/env
            for address in 203.0.113.1 203.0.113.2; do
                curl -s -o guess.json -X POST $GATEWAY_URL/auth/api/v1/login -H "X-Forwarded-For: $address" \
                    -H "Content-Type: application/json" -d "{\"email\": \"$address@example.com\", \"password\": \"a guess\"}"
            done
            psql -At "$AUTH_DATABASE_URL" -c "select count(*) || ' ' || sum(failures) from users_login_address""#,
        )
        .await;
    assert_eq!(guesses.trim(), "1 2", "one address, two failures");

    // Registration does not need the broker.
    home.medtrack("stop rabbitmq").await;
    let registered = blocks[1]
        .replace("test.user@", "no.broker@")
        .replace("-s -X POST", "-sf --max-time 2 -X POST");
    home.shell(&registered).await;
    assert_eq!(home.inbox().await.trim(), "[]");
    home.medtrack("restart rabbitmq").await;
    eventually(Duration::from_secs(10), "the welcome", async || {
        home.inbox().await.contains("Welcome to MedTrack!")
    })
    .await;
    home.medtrack("restart profile-consumer comm-consumer")
        .await;

    // A killed launcher leaves nothing, and the next one finds all data.
    let launcher =
        fs::read_to_string(home.dir.join(".medtrack/lock")).expect("a running stack has a lock");
    let children = home.children();
    assert_eq!(children.len(), 10);
    home.shell(&format!("kill -9 {launcher}")).await;
    let decoy = home.hold_postgres().await;
    let said = home.medtrack("up --detach").await;
    assert!(said.contains("is ready"), "{said}");
    if let Some(decoy) = decoy {
        decoy
            .await
            .expect("it is waited for")
            .expect("PostgreSQL was held up, and started again");
    }
    assert!(
        !children.iter().any(|pid| is_alive(pid)),
        "nothing is left of the killed one"
    );
    assert!(home.inbox().await.contains("Welcome to MedTrack!"));

    let children = home.children();
    home.medtrack("stop").await;
    assert!(!children.iter().any(|pid| is_alive(pid)), "nothing is left");
    home.medtrack("stop").await;
    home.medtrack("reset --yes").await;
    assert!(!home.dir.join(".medtrack").exists());
}

#[tokio::test]
async fn errors_end_in_a_next_step() {
    let home = Home::new();
    for (arguments, next) in [
        ("ps", "try: ./medtrack up"),
        ("logs", "try: ./medtrack up"),
        ("restart x", "try: ./medtrack up"),
    ] {
        let output = home
            .command(root().join("medtrack"))
            .args(arguments.split(' '))
            .output()
            .await;
        let output = output.expect("the launcher runs");
        assert!(
            !output.status.success() && text(&output).contains(next),
            "{arguments}: {}",
            text(&output)
        );
    }
}

/// Commands that the README names and that take too long, or cannot run here, at least exist.
#[tokio::test]
async fn every_command_of_the_readme_exists() {
    let home = Home::new();
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let mut seen = 0;
    for command in readme.split("./medtrack ").skip(1) {
        let word: String = command
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        let help = home.medtrack(&format!("{word} --help")).await;
        let options = command
            .split(['`', '\n', '#', '|'])
            .next()
            .unwrap_or_default();
        for option in options
            .split_whitespace()
            .filter(|option| option.starts_with("--"))
        {
            assert!(help.contains(option), "{word} {option}");
        }
        seen += 1;
    }
    assert!(seen > 10);
}
