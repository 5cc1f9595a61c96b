//! The launcher as a person uses it: the README's commands, a stopped broker, a killed launcher, a closed terminal, a
//! start that is interrupted, the help.

mod help;
mod home;
mod starting;
mod verbs;

use events::topology::{SERVICES, Unit, UnitState};
use home::{Home, PROCESSES, root};
use serde_json::Value;
use std::{fs, time::Duration};
use test_support::eventually;
use tokio::sync::Mutex;

/// Held by a test: two stacks that start at once may choose the same port.
static ALONE: Mutex<()> = Mutex::const_new(());

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
    let _alone = ALONE.lock().await;
    let home = Home::new();
    let output = home.medtrack("up --detach").await;
    assert!(output.contains("is ready"), "{output}");
    let output = home.medtrack("up").await;
    assert!(
        output.contains("already running (pid ") && output.contains("is ready"),
        "{output}"
    );
    let units = home.medtrack("ps").await;
    assert_eq!(
        units
            .lines()
            .filter(|line| line.contains(" running "))
            .count(),
        PROCESSES,
        "{units}"
    );

    let list = home.units();
    assert_eq!(list.len(), PROCESSES);
    for unit in &list {
        let pid = unit.pid.expect("a running unit has a process");
        assert!(
            is_alive(&pid.to_string()) && unit.state == UnitState::Running,
            "{unit:?}"
        );
        assert_eq!(
            unit.internal_address.is_some(),
            unit.unit.contains("-service") || unit.unit.contains("-consumer"),
            "{unit:?}"
        );
    }

    // The walk, and the greps.
    let blocks = readme_blocks();
    home.shell(&blocks[1]).await;
    // A second time: it is another user.
    home.shell(&blocks[1]).await;
    eventually(Duration::from_secs(5), "the welcome", async || {
        home.inbox().await.contains("Welcome to MedTrack!")
    })
    .await;
    let lines = home.shell(&blocks[2]).await;
    for line in [
        "INFO Published event: auth.user.created",
        "INFO ✅ Created student profile for user ",
        "INFO Published event: student.created",
        "INFO ✅ Created notification for user ",
    ] {
        assert!(lines.contains(line), "{line} in {lines}");
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
        Some(2 * SERVICES.len()),
        "the services' queues and their .crashed queues"
    );
    let nothing = home
        .shell(". .medtrack/env; curl -s $GATEWAY_URL/nothing")
        .await;
    assert!(nothing.contains("NOT_FOUND"), "{nothing}");
    let allowed = |origin: &str| {
        format!(
            ". .medtrack/env; curl -si -H 'Origin: {origin}' $GATEWAY_URL/auth/.well-known/jwks.json"
        )
    };
    for (origin, is_allowed) in [
        ("http://localhost:9876", true),
        ("http://localhost:3000", false),
    ] {
        let response = home.shell(&allowed(origin)).await.to_lowercase();
        let header = format!("access-control-allow-origin: {origin}");
        assert_eq!(response.contains(&header), is_allowed, "{response}");
    }

    let demo = home.medtrack("demo").await;
    assert_eq!(demo.matches("complete in ").count(), 2, "{demo}");
    assert!(
        demo.contains("Welcome to MedTrack!") && demo.contains("Welcome as Encadrant!"),
        "{demo}"
    );
    // On a busy machine the doctor warns of what takes long.
    let doctor = home
        .shell("./medtrack doctor --verbose || [ $? = 2 ]")
        .await;
    assert!(
        doctor.contains("comm-consumer is ready") && doctor.contains(" 0 broken"),
        "{doctor}"
    );

    verbs::each_does_what_it_says(&home).await;

    // A service sees its own database only.
    let stranger = ". .medtrack/env; ! psql \"${AUTH_DATABASE_URL%/*}/comm_db\" -c 'select 1' 2>&1";
    let refused = home.shell(stranger).await;
    assert!(refused.contains("permission denied"), "{refused}");

    // Failed logins are counted by the address that the gateway sees, not by a header of the client.
    let guesses = home
        .shell(
            r#". .medtrack/env
            for address in 203.0.113.1 203.0.113.2; do
                curl -s -o guess.json -X POST $GATEWAY_URL/auth/api/v1/login -H "X-Forwarded-For: $address" \
                    -H "Content-Type: application/json" -d "{\"email\": \"$address@example.com\", \"password\": \"a guess\"}"
            done
            psql -At "$AUTH_DATABASE_URL" -c "select count(*) || ' ' || 300 - sum(remaining) from users_budget where purpose = 'failures'""#,
        )
        .await;
    assert_eq!(guesses.trim(), "1 2", "one address, two failures");

    // Registration does not need the broker.
    home.medtrack("stop rabbitmq").await;
    assert_eq!(unit(&home, "rabbitmq").state, UnitState::Stopped);
    let (registration, _) = blocks[1]
        .split_once("sleep ")
        .expect("the walk waits for the events");
    let registration = registration.replace("-X POST", "--max-time 2 -X POST");
    home.shell(&registration).await;
    assert_eq!(home.inbox().await.trim(), "[]");
    home.medtrack("restart rabbitmq").await;
    let rabbitmq = unit(&home, "rabbitmq");
    assert_eq!(
        (rabbitmq.restarts, rabbitmq.restarted_at.len()),
        (1, 1),
        "{rabbitmq:?}"
    );
    eventually(Duration::from_secs(10), "the welcome", async || {
        home.inbox().await.contains("Welcome to MedTrack!")
    })
    .await;
    home.medtrack("restart profile-consumer comm-consumer")
        .await;

    // A killed launcher leaves no process, and the next one, whose terminal is closed, finds all data.
    let launcher =
        fs::read_to_string(home.dir.join(".medtrack/lock")).expect("a running stack has a lock");
    let children = home.children();
    assert_eq!(children.len(), PROCESSES);
    home.shell(&format!("kill -9 {launcher}")).await;
    let decoy = home.hold_postgres().await;
    let mut launcher = home.up_without_terminal();
    home.wait_until_ready().await;
    if let Some(decoy) = decoy {
        decoy
            .await
            .expect("the task does not panic")
            .expect("PostgreSQL was held up, and started again");
    }
    assert!(
        !children.iter().any(|pid| is_alive(pid)),
        "no process of the killed launcher is alive"
    );
    assert!(home.inbox().await.contains("Welcome to MedTrack!"));

    let children = home.children();
    let profile = unit(&home, "profile-consumer");
    home.shell(&format!(
        "kill -9 {}",
        profile.pid.expect("the consumer runs")
    ))
    .await;
    eventually(
        Duration::from_secs(10),
        "the consumer's restart",
        async || {
            let now = unit(&home, "profile-consumer");
            now.restarts == 1 && now.state == UnitState::Running && now.pid != profile.pid
        },
    )
    .await;
    assert!(
        launcher.try_wait().expect("it is a child").is_none(),
        "the closed terminal ended it"
    );
    home.medtrack("stop").await;
    let ended = launcher.wait().await.expect("it is a child");
    assert!(ended.success(), "{ended}");
    assert!(
        !children.iter().any(|pid| is_alive(pid)),
        "a process is left"
    );
    home.medtrack("stop").await;
    let log = starting::postgres_log(&home);
    assert!(
        log.contains("database system was shut down at") && !log.contains("not properly shut down"),
        "PostgreSQL ended cleanly with the killed launcher: {log}"
    );
    home.medtrack("reset --yes").await;
    assert!(!home.dir.join(".medtrack").exists());
}

fn unit(home: &Home, name: &str) -> Unit {
    let units = home.units().into_iter();
    let unit = { units }.find(|unit| unit.unit == name);
    unit.unwrap_or_else(|| panic!("there is no unit {name}"))
}
