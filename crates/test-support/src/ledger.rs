//! Registers users during a fault, then compares what was promised to clients with the databases. The report counts in
//! Jepsen's words.
#![expect(
    clippy::disallowed_methods,
    reason = "test crate: no schema of its own to check against"
)]

mod report;

pub use report::Report;

use crate::{
    Client, Database, Stack, User,
    client::{REGISTER, newcomer, user},
    eventually,
};
use events::{Role, key};
use reqwest::Method;
use sqlx::AssertSqlSafe;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
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

    /// Registers a user each `every`, students and encadrants in turn, until stopped.
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
            ..report::judge(&attempts, &users, &profiles, &notices)
        };
        for (_, database) in stack.databases() {
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

/// Whether all outboxes are published, and each event is in the inbox of every service whose queue receives it.
async fn is_drained(stack: &Stack) -> bool {
    let mut events: Vec<(Uuid, String)> = Vec::new();
    for (_, database) in stack.databases() {
        if database.count("outbox where published_at is null").await > 0 {
            return false;
        }
        events.extend(rows(database, "select event_id, routing_key from outbox").await);
    }
    for (service, database) in stack.databases() {
        let taken: Vec<(Uuid, String)> =
            rows(database, "select event_id, routing_key from inbox").await;
        let taken: HashSet<Uuid> = taken.into_iter().map(|(id, _)| id).collect();
        let wanted = |key: &str| {
            service
                .queue
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
