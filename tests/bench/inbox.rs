//! What users ask of inboxes when there are millions of notifications: `--inbox 5000000` of 10,000 users, and one user
//! who has 100,000. `cargo bench -p system-tests --bench chain -- --inbox 5000000` runs only this.

use crate::report::{Figure, PARTS, Report, quantile};
use events::Role;
use std::time::Instant;
use test_support::{Signer, Stack, Unit};

const USERS: u32 = 10_000;
const OF_ONE: u32 = 100_000;
/// The requests of one part.
const REQUESTS: u32 = 500;
const LIST: &str = "/comm/api/notifications";

/// Fills the table, then measures.
pub(crate) async fn measure(stack: &Stack, notices: u32, report: &mut Report) {
    fill(stack, notices).await;
    let client = Requests::new(stack).await;
    for (path, about, query, asked) in [
        ("page", "a page of 20", "?page=1&limit=20", "at most 10"),
        (
            "part",
            "20 by cursor",
            "?cursor=newest&limit=20",
            "at most 10",
        ),
        (
            "unread_page",
            "20 unread",
            "?unread=true&limit=20",
            "at most 10",
        ),
        (
            "unread_count",
            "the unread count",
            "/unread-count",
            "at most 2",
        ),
    ] {
        for (name, whose, users) in [("any", "any user", USERS), ("one", "the user with most", 0)] {
            let mut parts = Vec::new();
            for _ in 0..PARTS {
                parts.push(client.p99(query, users, REQUESTS).await);
            }
            let path = format!("inbox.{path}.{name}_p99_ms");
            let figure = Figure::of_parts(&path, &format!("{about}, {whose}, p99"), "ms", parts);
            report.add(figure.asked(asked));
        }
    }
    let epoch = stack
        .comm
        .value("select epoch from communications_epoch")
        .await;
    let since = OF_ONE - 10_000;
    let query = format!("/changes?epoch={epoch}&since={since}");
    let mut parts = Vec::new();
    for _ in 0..PARTS {
        parts.push(client.p99(&query, 0, 20).await);
    }
    let about = "a resume over 10,000 changes, p99";
    let figure = Figure::of_parts("inbox.resume_p99_ms", about, "ms", parts);
    report.add(figure.asked("at most 50"));
}

/// Requests of users who are known by a number; the number 0 is the user who has most.
struct Requests<'a> {
    stack: &'a Stack,
    signer: Signer,
    token: String,
    http: reqwest::Client,
}

impl<'a> Requests<'a> {
    async fn new(stack: &'a Stack) -> Self {
        Self {
            stack,
            signer: Signer::of(&stack.auth).await,
            token: stack.client.register(Role::Student).await.token,
            http: reqwest::Client::new(),
        }
    }

    /// The time that 99 of 100 answers need at most, in milliseconds. Users in turn ask, or with 0 the one who has most.
    async fn p99(&self, query: &str, users: u32, requests: u32) -> f64 {
        let address = self.stack.http(Unit::Comm);
        let mut answers = Vec::new();
        for request in 0..requests {
            // 7919 is prime: neighbours in the table do not follow each other.
            let number = if users == 0 {
                0
            } else {
                1 + request * 7919 % users
            };
            let id = self.stack.comm.value(&user(&number.to_string())).await;
            let token = self.signer.with(&self.token, "sub", id);
            let url = format!("http://{address}{LIST}{query}");
            let sent = Instant::now();
            let response = self.http.get(url).bearer_auth(token).send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.bytes().await.unwrap();
            answers.push(sent.elapsed().as_secs_f64() * 1e3);
        }
        quantile(&answers, 0.99)
    }
}

/// The id of a user, as SQL.
fn user(number: &str) -> String {
    format!("md5('user ' || {number})::uuid")
}

/// Writes the notifications without the triggers, in a tenth of the time.
async fn fill(stack: &Stack, notices: u32) {
    let table = "communications_notification";
    stack
        .comm
        .run(&format!("alter table {table} disable trigger user"))
        .await;
    for (first, last, each) in [(0, 0, OF_ONE), (1, USERS, notices / USERS)] {
        let insert = format!(
            "insert into {table} (id, user_id, kind, source_event, type, title, content, related_object_type,
                                  related_object_id, metadata, created_at, occurred_at, read_at, changed_seq)
             select gen_random_uuid(), {}, 'bench', gen_random_uuid(), 'system', 'Stage Started',
                    'Your internship stage has started.', 'stage', gen_random_uuid(),
                    '{{\"event\": \"bench\", \"stage_id\": \"0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d\"}}',
                    now(), now() - (({each} - i) * 10000 + n) * interval '1 ms',
                    case when i % 5 > 0 then now() end, i
             from generate_series(1, {each}) as i, generate_series({first}, {last}) as n",
            user("n")
        );
        stack.comm.run(&insert).await;
    }
    stack
        .comm
        .run(&format!("alter table {table} enable trigger user"))
        .await;
    let inboxes = format!(
        "insert into communications_inbox (user_id, seq, unread, total)
         select user_id, max(changed_seq), count(*) filter (where read_at is null), count(*) from {table}
         where kind = 'bench' group by user_id"
    );
    stack.comm.run(&inboxes).await;
    stack.comm.run(&format!("vacuum analyze {table}")).await;
    stack.comm.run("vacuum analyze communications_inbox").await;
}
