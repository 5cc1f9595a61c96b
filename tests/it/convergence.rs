//! Nothing relies on the order of events: shuffled and repeated events lead to the same state as the ordered ones.

use events::{
    Event, EventId, Role, StudentId, UserId,
    auth::{UserCreated, UserDeleted, UserUpdated},
    internships::{EvaluationCreated, StageAccepted, StageCompleted, StageCreated},
    profile::{StudentCreated, StudentDeleted, StudentUpdated},
};
use futures_util::{StreamExt as _, stream};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::json;
use std::time::Duration;
use test_support::{Stack, Unit, eventually, stack::Links};
use uuid::Uuid;

/// The number of lives of users, for profile-service, and of students, for comm-service.
const STORIES: usize = 800;
const MESSAGES: usize = 10_000;
const SOON: Duration = Duration::from_secs(120);

/// The parked events, except those of a publisher without versions about a user whom a publisher with versions describes.
const OPEN: &str =
    "parked_event where kind not in ('foreign_change', 'foreign_deletion', 'erased')";

/// A message as it is published: its key and its body.
type Message = (&'static str, String);

fn message<E: Event>(version: Option<i64>, seconds: i64, event: &E) -> Message {
    let time = chrono::DateTime::from_timestamp(1_765_654_022 + seconds, 0)
        .expect("a time of this century");
    let meta = json!({"event_id": EventId::new(), "timestamp": time, "routing_key": E::KEY, "source": "test",
                      "aggregate_version": version});
    (E::KEY, json!({"payload": event, "_meta": meta}).to_string())
}

/// The life of a user, from a publisher that counts versions, or from one that does not. Both describe some of the users:
/// then only the first one counts, in any order of arrival.
fn user(i: usize) -> Vec<Message> {
    let user_id = UserId::new();
    let counts = |version: i64| (!i.is_multiple_of(3)).then_some(version);
    let role = Role::ALL[i % 7 % 3];
    let email = format!("{user_id}@example.com");
    let created = UserCreated {
        user_id,
        role,
        email: email.clone(),
        ..UserCreated::sample()
    };
    let updated = |first_name: &str, phone: Option<&str>| UserUpdated {
        user_id,
        email: email.clone(),
        first_name: Some(first_name.into()),
        phone: Some(phone.map(Into::into)),
        role: Some(role),
        ..UserUpdated::sample()
    };
    let mut story = vec![
        message(counts(1), 1, &created),
        message(counts(2), 2, &updated("Second", None)),
        message(counts(3), 3, &updated("Third", Some("3"))),
    ];
    if i.is_multiple_of(4) {
        let email = email.clone();
        story.push(message(counts(4), 4, &UserDeleted { user_id, email }));
    }
    if counts(1).is_some() && i.is_multiple_of(5) {
        story.push(message(None, 1, &created));
        story.push(message(None, 5, &updated("Stranger", Some("9"))));
        story.push(message(
            None,
            6,
            &UserDeleted {
                user_id,
                email: email.clone(),
            },
        ));
    }
    story
}

/// The life of a student and of an internship.
fn student(i: usize) -> Vec<Message> {
    let (student_id, user_id, stage_id) = (StudentId::new(), UserId::new(), Uuid::now_v7().into());
    let mut story = vec![
        message(
            Some(1),
            1,
            &StudentCreated {
                student_id,
                user_id,
                ..StudentCreated::sample()
            },
        ),
        message(
            Some(2),
            2,
            &StudentUpdated {
                student_id,
                user_id,
                ..StudentUpdated::sample()
            },
        ),
        message(
            None,
            3,
            &StageCreated {
                stage_id,
                student_id,
                ..StageCreated::sample()
            },
        ),
        message(
            None,
            4,
            &StageAccepted {
                stage_id,
                student_id,
                ..StageAccepted::sample()
            },
        ),
        message(
            None,
            5,
            &StageCompleted {
                stage_id,
                student_id,
                ..StageCompleted::sample()
            },
        ),
        message(
            None,
            6,
            &EvaluationCreated {
                stage_id,
                student_id,
                ..EvaluationCreated::sample()
            },
        ),
    ];
    if i.is_multiple_of(4) {
        story.push(message(
            Some(3),
            7,
            &StudentDeleted {
                student_id,
                user_id,
            },
        ));
    }
    story
}

/// Returns the state of the services.
async fn state(stack: &Stack) -> [String; 3] {
    let people = "select string_agg(concat_ws('|', user_id, email, first_name, last_name, coalesce(phone, '-')), '\n' order by user_id)";
    [
        stack.profile.value(&format!("{people} from profiles_student")).await,
        stack.profile.value(&format!("{people} from profiles_encadrant")).await,
        stack
            .comm
            .value(
                "select string_agg(concat_ws('|', user_id, kind, title, content), '\n' order by user_id, kind, content)
                 from communications_notification",
            )
            .await,
    ]
}

/// Publishes messages in this order, and waits until the consumers have handled each of them and each consequence.
/// `distinct` counts the distinct events for profile-service and for comm-service. An empty queue is no proof: a
/// consumer may still hold what it took from it.
async fn tell(messages: &[Message], distinct: (i64, i64)) -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::ProfileConsumer, Unit::CommConsumer])
        .await;
    stream::iter(messages)
        .map(|(key, body)| stack.vhost.publish(key, body))
        .buffered(200)
        .for_each(async |()| ())
        .await;
    let (for_profile, for_comm) = distinct;
    eventually(SOON, "all events are handled", async || {
        stack.profile.count("inbox").await == for_profile
            && stack.comm.count("inbox").await == for_comm + stack.profile.count("outbox").await
            && stack.profile.count(OPEN).await + stack.comm.count(OPEN).await == 0
    })
    .await;
    stack
}

#[tokio::test]
async fn shuffled_and_repeated_events_end_in_the_state_of_the_ordered_ones() {
    let _turn = crate::alone().await;
    let stories: Vec<Vec<Message>> = (0..STORIES).flat_map(|i| [user(i), student(i)]).collect();
    let orderly: Vec<Message> = stories.concat();
    let of = |wanted: fn(&str) -> bool| -> i64 {
        i64::try_from(orderly.iter().filter(|(key, _)| wanted(key)).count())
            .expect("some thousands")
    };
    let distinct = (
        of(|key| key.starts_with("auth.")),
        of(|key| !key.starts_with("auth.") || key == UserDeleted::KEY),
    );

    let seed: u64 = rand::rng().random();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut storm = orderly.clone();
    while storm.len() < MESSAGES {
        storm.push(orderly[rng.random_range(0..orderly.len())].clone());
    }
    storm.shuffle(&mut rng);

    let calm = tell(&orderly, distinct).await;
    let stormy = tell(&storm, distinct).await;
    for (calm, stormy) in state(&calm).await.into_iter().zip(state(&stormy).await) {
        let (calm, stormy): (Vec<_>, Vec<_>) = (calm.lines().collect(), stormy.lines().collect());
        let odd = stormy
            .iter()
            .find(|line| !calm.contains(line))
            .or(calm.iter().find(|line| !stormy.contains(line)));
        assert_eq!(calm.len(), stormy.len(), "seed {seed}: {odd:?}");
        assert_eq!(odd, None, "seed {seed}");
        assert!(calm.len() > STORIES / 10, "there is something to compare");
    }
}
