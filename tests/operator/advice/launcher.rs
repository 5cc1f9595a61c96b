//! Faults of a stack that `medtrack up` runs: for each, the doctor names one cause, and what it advises mends it.

#[path = "../../launcher/home.rs"]
#[expect(dead_code, reason = "the tests of the launcher use all of it")]
mod home;

use crate::findings::{DOCTOR, Findings, Seen, assert_documented, causes};
use events::topology::Unit;
use home::Home;
use std::{fs, time::Duration};
use test_support::eventually;
use tokio::sync::Mutex;

/// Registers a student through the gateway, whatever becomes of it.
const REGISTER: &str = r#". .medtrack/env
    curl -s -o registered.json --max-time 5 -X POST $GATEWAY_URL/auth/api/v1/register \
        -H "Content-Type: application/json" -d "{\"email\": \"$(cat /proc/sys/kernel/random/uuid)@example.com\",
            \"password\": \"SecurePass123!\", \"first_name\": \"A\", \"last_name\": \"B\", \"role\": \"student\"}" || true"#;

/// Two stacks that start at the same moment may choose the same usual port.
static ONE_STACK: Mutex<()> = Mutex::const_new(());

async fn findings(home: &Home) -> Findings {
    let doctor = "code=0; ./medtrack doctor --json > doctor.json || code=$?; echo $code";
    let code = home.shell(doctor).await;
    let printed = fs::read_to_string(home.dir.join("doctor.json")).expect("it was written");
    Findings::of(&printed, code.trim().parse().ok())
}

async fn well(home: &Home) {
    causes(&[], async || findings(home).await).await;
}

fn unit(home: &Home, name: &str) -> Unit {
    let units = home.units().into_iter();
    let unit =
        { units }.find(|unit| unit.unit == name || unit.unit == name.replace("-service", ""));
    unit.unwrap_or_else(|| panic!("there is no unit {name}"))
}

fn pid(home: &Home, name: &str) -> u32 {
    unit(home, name).pid.expect("it runs")
}

/// Waits until the doctor names one cause, compares what a person sees with the document, types what is advised, and
/// waits until all is well.
async fn is_named_and_mended(home: &Home, fault: &str, id: &str) {
    causes(&[id], async || findings(home).await).await;
    let seen = Seen::read(&home.shell("./medtrack doctor || true").await);
    assert_documented(fault, &seen);
    for command in &seen.commands {
        home.shell(command).await;
    }
    well(home).await;
    proof_of_life(home).await;
}

/// A student registers and is welcomed.
async fn proof_of_life(home: &Home) {
    home.shell(REGISTER).await;
    eventually(Duration::from_secs(10), "the welcome", async || {
        home.inbox().await.contains("Welcome to MedTrack!")
    })
    .await;
}

/// Types a command of RabbitMQ's own tool at the broker of this stack.
async fn rabbitmqctl(home: &Home, arguments: &str) {
    let script = format!(
        r#"epmd=$(sed -n 's/.*"epmd": \([0-9]*\).*/\1/p' .medtrack/ports.json)
        tool=$(ls /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmqctl | head -n 1)
        HOME=$PWD/.medtrack/rabbitmq/home ERL_EPMD_PORT=$epmd ERL_AFLAGS='-start_epmd false' \
            RABBITMQ_CONF_ENV_FILE=$PWD/.medtrack/rabbitmq/rabbitmq-env.conf \
            $tool -q -n medtrack@localhost {arguments}"#
    );
    home.shell(&script).await;
}

#[tokio::test]
async fn each_fault_of_a_process_has_one_cause_and_the_advice_mends_it() {
    let _one = ONE_STACK.lock().await;
    let home = Home::new();
    let nothing = Seen::read(&home.shell("./medtrack doctor || true").await);
    assert_documented("nothing was ever started", &nothing);
    for command in &nothing.commands {
        home.shell(command).await;
    }
    well(&home).await;
    consumers(&home).await;
    apis(&home).await;
}

#[tokio::test]
async fn each_fault_of_a_server_has_one_cause_and_the_advice_mends_it() {
    let _one = ONE_STACK.lock().await;
    let home = Home::new();
    home.medtrack("up --detach").await;
    well(&home).await;
    home.medtrack("stop").await;
    is_named_and_mended(&home, "the whole stack is stopped", "stack_down").await;
    servers(&home).await;
}

async fn consumers(home: &Home) {
    let consumer = "comm-consumer";
    home.shell(&format!("kill -9 {}", pid(home, consumer)))
        .await;
    eventually(DOCTOR, "it is started again", async || {
        unit(home, consumer).crashes.len() == 1
    })
    .await;
    well(home).await;

    home.medtrack("stop comm-consumer").await;
    home.shell(REGISTER).await;
    is_named_and_mended(home, "a consumer is stopped", "process_stopped").await;

    home.shell(&format!("kill -STOP {}", pid(home, consumer)))
        .await;
    is_named_and_mended(home, "a consumer is frozen", "process_unresponsive").await;

    for crashes in 1..=3 {
        let alive = eventually(DOCTOR, "it runs", async || unit(home, consumer).pid).await;
        home.shell(&format!("kill -9 {alive}")).await;
        eventually(DOCTOR, "its end is noted", async || {
            let unit = unit(home, consumer);
            unit.crashes.len() == crashes && unit.crashes.iter().all(|end| end.how.contains('9'))
        })
        .await;
    }
    is_named_and_mended(home, "a consumer ends again and again", "restart_loop").await;
}

async fn apis(home: &Home) {
    home.shell(&format!("kill -STOP {}", pid(home, "auth-service")))
        .await;
    is_named_and_mended(home, "auth-service is frozen", "process_unresponsive").await;

    home.medtrack("stop gateway").await;
    is_named_and_mended(home, "the gateway is stopped", "gateway_unreachable").await;
}

async fn servers(home: &Home) {
    home.medtrack("stop rabbitmq").await;
    for _ in 0..5 {
        home.shell(REGISTER).await;
    }
    // The consumers notice, and the events are older than the grace time.
    eventually(DOCTOR, "what follows from it", async || {
        let findings = findings(home).await;
        let count = |id: &str| {
            findings
                .followers()
                .iter()
                .filter(|one| **one == id)
                .count()
        };
        count("process_not_ready") == 3 && count("events_unpublished") == 1
    })
    .await;
    let printed = home.shell("./medtrack doctor || true").await;
    for line in [
        "  → 3 consumers wait for it: auth-consumer, profile-consumer, comm-consumer",
        "  → 5 events of auth-service wait to be published, the oldest for ",
        "    users register as before; their events are kept, none is lost",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    is_named_and_mended(home, "RabbitMQ is stopped", "broker_unreachable").await;

    home.shell(&format!("kill -STOP {}", pid(home, "rabbitmq")))
        .await;
    is_named_and_mended(home, "RabbitMQ is frozen", "broker_unresponsive").await;

    rabbitmqctl(home, "set_disk_free_limit 100000GB").await;
    home.shell(REGISTER).await;
    causes(&["disk_alarm"], async || findings(home).await).await;
    let seen = Seen::read(&home.shell("./medtrack doctor || true").await);
    assert_documented("the disk of RabbitMQ is full", &seen);
    rabbitmqctl(home, "set_disk_free_limit 50MB").await;
    well(home).await;
    proof_of_life(home).await;

    home.medtrack("stop postgres").await;
    is_named_and_mended(home, "PostgreSQL is stopped", "database_unreachable").await;

    home.shell(&format!("kill -STOP {}", pid(home, "postgres")))
        .await;
    is_named_and_mended(home, "PostgreSQL is frozen", "database_unresponsive").await;
}
