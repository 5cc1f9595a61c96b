//! What was promised to clients, counted against the three databases, in Jepsen's words.
//!
//! An *attempted* registration is *acknowledged* (201) or *unknown* (anything else: it may have been done).
//! After the heal: *lost* was acknowledged, or has a user row, and lacks its profile or its welcome;
//! *duplicated* has more than one of either; *unexpected* was never attempted; *recovered* is an unknown one
//! that turned out done.
#![expect(
    clippy::disallowed_methods,
    reason = "test crate: no schema of its own to check against"
)]

use crate::{
    Client, Database, Stack, User,
    client::{REGISTER, newcomer, user},
    eventually,
};
use events::{Role, key, topology};
use reqwest::Method;
use sqlx::AssertSqlSafe;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// All registrations of one test.
#[derive(Clone, Debug)]
pub struct Ledger {
    client: Client,
    /// By e-mail: the status it was answered with; 0 for no answer yet, or none at all.
    attempts: Arc<Mutex<HashMap<String, u16>>>,
}

/// The status that acknowledges a registration.
const CREATED: u16 = 201;

impl Ledger {
    /// An empty ledger.
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            attempts: Arc::default(),
        }
    }

    /// Registers a new user. Returns whether the registration was acknowledged; a failure is no error.
    pub async fn register(&self, role: Role) -> bool {
        self.attempt(role).await.is_some()
    }

    /// The user, when the registration was acknowledged.
    async fn attempt(&self, role: Role) -> Option<User> {
        let body = newcomer(role);
        let email = body["email"].as_str().unwrap_or_default().to_owned();
        self.attempts().insert(email.clone(), 0);
        let response = self
            .client
            .ask(Method::POST, REGISTER, None, Some(&body))
            .await
            .ok()?;
        self.attempts().insert(email, response.status);
        (response.status == CREATED).then(|| user(response.body))
    }

    /// The statuses that registrations were answered with until now; 0 for none.
    pub fn statuses(&self) -> BTreeSet<u16> {
        self.attempts().values().copied().collect()
    }

    /// Registers somebody each `every`, students and encadrants in turn, until stopped.
    pub fn load(&self, every: Duration) -> Load {
        let stop = CancellationToken::new();
        let (ledger, stopped) = (self.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut running = JoinSet::new();
            let mut roles = [Role::Student, Role::Encadrant].into_iter().cycle();
            while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
                let (ledger, role) = (ledger.clone(), roles.next().unwrap_or(Role::Student));
                running.spawn(async move { ledger.register(role).await });
            }
            running.join_all().await;
        });
        Load { stop, task }
    }

    /// Sends something after the heal and sees it arrive: within `limit` a new registration has its welcome.
    /// Returns how long that took.
    ///
    /// # Panics
    /// When it has not.
    pub async fn proof_of_life(&self, limit: Duration) -> Duration {
        let began = Instant::now();
        let what = "proof of life: a registration is acknowledged";
        let user = eventually(limit, what, async || self.attempt(Role::Student).await).await;
        let what = "proof of life: the new registration has its welcome";
        let remaining = limit.saturating_sub(began.elapsed());
        let inbox = "/comm/api/notifications/";
        eventually(remaining, what, async || {
            let response = self
                .client
                .ask(Method::GET, inbox, Some(&user.token), None)
                .await;
            response
                .is_ok_and(|response| response.body.as_array().is_some_and(|list| list.len() == 1))
        })
        .await;
        began.elapsed()
    }

    /// Waits until no event is on its way, at most `limit`; then counts.
    ///
    /// # Panics
    /// When a database refuses.
    pub async fn settle(&self, stack: &Stack, fault: &str, limit: Duration) -> Report {
        let began = Instant::now();
        let mut drained = is_drained(stack).await;
        while !drained && began.elapsed() < limit {
            sleep(Duration::from_millis(20)).await;
            drained = is_drained(stack).await;
        }
        let attempts = self.attempts().clone();
        let users = rows(&stack.auth, "select id, email from users_user").await;
        let profiles = counts(
            &stack.profile,
            "(select user_id from profiles_student union all select user_id from profiles_encadrant) p",
        )
        .await;
        let notices = counts(&stack.comm, "communications_notification n").await;
        let mut report = Report {
            fault: fault.to_owned(),
            drained,
            ..judge(&attempts, &users, &profiles, &notices)
        };
        for database in [&stack.auth, &stack.profile, &stack.comm] {
            report.parked += database.count("parked_event").await;
        }
        report
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<String, u16>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registrations that go on in the background.
#[derive(Debug)]
pub struct Load {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Load {
    /// Sends no more, and waits for the answers that are still out.
    ///
    /// # Panics
    /// When a registration panicked.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task
            .await
            .expect("registrations are counted, whatever comes of them");
    }
}

/// What became of all registrations of a test.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was done to the system.
    pub fault: String,
    /// Registrations that were sent.
    pub attempted: usize,
    /// Those that were answered 201.
    pub acknowledged: usize,
    /// Promised, or begun, and not done.
    pub lost: usize,
    /// Done twice.
    pub duplicated: usize,
    /// Effects without an acknowledged request.
    pub unexpected: usize,
    /// Not promised, and done all the same.
    pub recovered: usize,
    /// Events parked in the three databases.
    pub parked: i64,
    /// Whether nothing was on its way any more when this was counted.
    pub drained: bool,
}

impl Report {
    /// Prints the report; something must have been promised, and everything promised must be done, once.
    ///
    /// # Panics
    /// When it is not so.
    pub fn assert_clean(&self) {
        let clean =
            self.drained && self.lost + self.duplicated + self.unexpected == 0 && self.parked == 0;
        assert!(clean && self.acknowledged > 0, "{self}");
        #[expect(clippy::print_stdout, reason = "the result of a fault test")]
        {
            println!("{self}");
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fault,
            attempted,
            acknowledged,
            lost,
            duplicated,
            unexpected,
            recovered,
            parked,
            drained,
        } = self;
        write!(
            f,
            "{fault}: attempted {attempted}, acknowledged {acknowledged}, lost {lost}, duplicated {duplicated}, \
             unexpected {unexpected}, recovered {recovered}, parked {parked}{}",
            if *drained { "" } else { ", NOT DRAINED" }
        )
    }
}

/// Compares what was promised (e-mail → status) with what there is: users, and how many profiles and notices
/// each user has.
fn judge(
    attempts: &HashMap<String, u16>,
    users: &[(Uuid, String)],
    profiles: &HashMap<Uuid, i64>,
    notices: &HashMap<Uuid, i64>,
) -> Report {
    let promised: HashSet<&String> = attempts
        .iter()
        .filter(|(_, status)| **status == CREATED)
        .map(|(email, _)| email)
        .collect();
    let mut report = Report {
        attempted: attempts.len(),
        acknowledged: promised.len(),
        ..Report::default()
    };
    let mut kept: HashSet<&String> = HashSet::new();
    for (id, email) in users {
        let of = |counts: &HashMap<Uuid, i64>| counts.get(id).copied().unwrap_or(0);
        let (profiles, notices) = (of(profiles), of(notices));
        kept.insert(email);
        report.duplicated += usize::from(profiles > 1 || notices > 1);
        if !attempts.contains_key(email) {
            report.unexpected += 1;
        } else if profiles == 0 || notices == 0 {
            report.lost += 1;
        } else if !promised.contains(email) {
            report.recovered += 1;
        }
    }
    report.lost += promised.difference(&kept).count();
    let user_ids: HashSet<&Uuid> = users.iter().map(|(id, _)| id).collect();
    let reader_ids: HashSet<&Uuid> = profiles.keys().chain(notices.keys()).collect();
    report.unexpected += reader_ids.difference(&user_ids).count();
    report
}

/// Whether all outboxes are published, and each event stands in the inbox of every service that wants it.
async fn is_drained(stack: &Stack) -> bool {
    let mut events: Vec<(Uuid, String)> = Vec::new();
    for database in [&stack.auth, &stack.profile, &stack.comm] {
        if database.count("outbox where published_at is null").await > 0 {
            return false;
        }
        events.extend(rows(database, "select event_id, routing_key from outbox").await);
    }
    let consumers = [
        (&topology::AUTH.queue, &stack.auth),
        (&topology::PROFILE.queue, &stack.profile),
        (&topology::COMM.queue, &stack.comm),
    ];
    for (queue, database) in consumers {
        let taken: Vec<(Uuid, String)> =
            rows(database, "select event_id, routing_key from inbox").await;
        let taken: HashSet<Uuid> = taken.into_iter().map(|(id, _)| id).collect();
        let wanted = |key: &str| {
            queue
                .patterns
                .iter()
                .any(|pattern| key::matches(pattern, key))
        };
        if events
            .iter()
            .any(|(id, key)| wanted(key) && !taken.contains(id))
        {
            return false;
        }
    }
    true
}

async fn rows(database: &Database, sql: &'static str) -> Vec<(Uuid, String)> {
    let rows = sqlx::query_as(sql).fetch_all(&database.pool).await;
    rows.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// How many rows each user has in a table.
async fn counts(database: &Database, table: &str) -> HashMap<Uuid, i64> {
    let sql = format!("select user_id, count(*) from {table} group by user_id");
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(AssertSqlSafe(sql.clone()))
        .fetch_all(&database.pool)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_fail_is_counted() {
        let [good, lost, gone, twice, recovered, ghost, stranger] = [
            "good",
            "lost",
            "gone",
            "twice",
            "recovered",
            "ghost",
            "stranger",
        ]
        .map(str::to_owned);
        let attempts = HashMap::from([
            (good.clone(), CREATED),
            (lost.clone(), CREATED),
            (gone, CREATED),
            (twice.clone(), CREATED),
            (recovered.clone(), 0),
            (ghost.clone(), 500),
            ("refused".to_owned(), 503),
        ]);
        let users: Vec<_> = [good, lost, twice, recovered, ghost, stranger]
            .into_iter()
            .zip(1..)
            .map(|(email, id)| (Uuid::from_u128(id), email))
            .collect();
        let counts = |counts: [(u128, i64); 6]| -> HashMap<Uuid, i64> {
            counts
                .into_iter()
                .map(|(id, count)| (Uuid::from_u128(id), count))
                .collect()
        };
        let profiles = counts([(1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (99, 1)]);
        let notices = counts([(1, 1), (3, 2), (4, 1), (5, 1), (6, 1), (99, 1)]);
        let report = Report {
            drained: true,
            ..judge(&attempts, &users, &profiles, &notices)
        };
        assert_eq!(
            report.to_string(),
            ": attempted 7, acknowledged 4, lost 3, duplicated 1, unexpected 2, recovered 1, parked 0",
            "lost: no welcome, no user, half of an unacknowledged one; unexpected: a stranger and nobody's profile"
        );
        assert!(std::panic::catch_unwind(|| report.assert_clean()).is_err());
        assert!(
            std::panic::catch_unwind(|| Report {
                drained: true,
                ..Report::default()
            }
            .assert_clean())
            .is_err()
        );
        Report {
            drained: true,
            attempted: 1,
            acknowledged: 1,
            ..Report::default()
        }
        .assert_clean();
    }
}
