//! What an operator types beside a running stack.

use crate::home::{Home, PROCESSES};
use events::topology::{Unit, UnitState};

/// Tries the verbs that look at a stack and change it, each as a person types it.
pub(crate) async fn each_does_what_it_says(home: &Home) {
    let list = home.medtrack("ps --json").await;
    let units: Vec<Unit> = serde_json::from_str(&list).expect("ps --json prints the units");
    assert_eq!(units, home.units());
    assert!(home.medtrack("status").await.contains("comm-consumer "));

    let lines = home
        .medtrack("logs -n 1 --grep Published auth-service profile-consumer")
        .await;
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(
        lines.contains("INFO Published event: ") && lines.contains("\nThe last 1 of "),
        "{lines}"
    );
    let all = home.medtrack("logs --since 1h --grep INFO").await;
    let times: Vec<&str> = all
        .lines()
        .filter_map(|line| line.split_once("| 2"))
        .filter_map(|(_, line)| line.get(..18))
        .collect();
    assert!(times.len() > 3 && times.is_sorted(), "{all}");
    let refused = home.shell("! ./medtrack logs no-such-unit").await;
    assert!(refused.contains("there are: "), "{refused}");

    let unknown = home.shell("! ./medtrack up --detach --scale bogus=3").await;
    assert!(unknown.contains("bogus cannot be scaled"), "{unknown}");
    scaling_changes_a_running_stack(home).await;
    let running = home.medtrack("start comm-consumer").await;
    assert!(running.contains("it runs already"), "{running}");
    let stopped = home.medtrack("stop comm-service-consumer").await;
    assert!(stopped.contains("stopped: comm-consumer\n"), "{stopped}");
    let consumer = |units: Vec<Unit>| {
        let mut units = units.into_iter();
        units.find(|unit| unit.unit == "comm-consumer")
    };
    let stopped = consumer(home.units()).expect("the unit has one name everywhere");
    assert_eq!(stopped.state, UnitState::Stopped);
    // Names are checked before anything is done.
    for verb in ["start", "stop", "restart"] {
        let script = format!("! ./medtrack {verb} comm-consumer gateway bogus");
        let refused = home.shell(&script).await;
        assert!(refused.contains("there is no unit \"bogus\""), "{refused}");
    }
    let untouched = consumer(home.units());
    assert_eq!(untouched.map(|unit| unit.state), Some(UnitState::Stopped));
    assert!(home.units().iter().all(|unit| unit.restarts == 0));
    let started = home.medtrack("start comm-consumer").await;
    assert!(started.contains("started: comm-consumer"), "{started}");

    home.shell(
        r#"printf 'Seven-Grey-Herons-91' | ./medtrack create-admin --email admin@example.com
        . .medtrack/env
        curl -sS --fail-with-body -X POST $GATEWAY_URL/auth/api/v1/login -H "Content-Type: application/json" \
            -d '{"email": "admin@example.com", "password": "Seven-Grey-Herons-91"}' | grep -q '"role":"admin"'"#,
    )
    .await;
}

async fn scaling_changes_a_running_stack(home: &Home) {
    let changed = home.medtrack("up --detach --scale comm-consumer=3").await;
    assert!(
        changed.contains("started: comm-consumer-2, comm-consumer-3"),
        "{changed}"
    );
    for number in 2..=3 {
        is_everywhere(home, number).await;
    }
    let changed = home.medtrack("up --scale comm-consumer=1").await;
    assert!(
        changed.contains("stopped: comm-consumer-2, comm-consumer-3"),
        "{changed}"
    );
    assert_eq!(home.units().len(), PROCESSES);
    home.shell(". .medtrack/env; ! [ -v COMM_CONSUMER_2_INTERNAL_URL ]")
        .await;
    let doctor = home.shell("./medtrack doctor || [ $? = 2 ]").await;
    assert!(!doctor.contains("comm-consumer-2"), "{doctor}");
}

/// Asserts that every verb which looks at the stack shows a further process of comm-service's consumer.
pub(crate) async fn is_everywhere(home: &Home, number: u32) {
    let name = format!("comm-consumer-{number}");
    let status = home.medtrack("status").await;
    let line = status.lines().find(|line| line.starts_with(&name));
    assert!(
        line.is_some_and(|line| line.contains(" running ")),
        "{status}"
    );
    // On a busy machine the doctor warns of what takes long.
    let health = home
        .shell("./medtrack health --verbose || [ $? = 2 ]")
        .await;
    assert!(health.contains(&format!("{name} is ready")), "{health}");
    let logs = home.medtrack(&format!("logs {name}")).await;
    assert!(logs.contains("Waiting for events..."), "{logs}");
    let address = format!(
        ". .medtrack/env; curl -sS --fail-with-body $COMM_CONSUMER_{number}_INTERNAL_URL/health/ready"
    );
    home.shell(&address).await;
}
