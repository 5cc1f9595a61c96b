//! Every client ends with what the database holds, whatever tabs do at the same time and however often they are cut off.

use crate::{
    counting::WRONG,
    inbox::{LIST, welcomed},
};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use test_support::{Stack, User, client::Client, eventually};
use tokio::task::JoinSet;
use uuid::Uuid;

const TABS: u64 = 4;
const STEPS: usize = 60;
const EVENTS: i64 = 120;
const VERBS: [&str; 6] = [
    "read",
    "unread",
    "archive",
    "unarchive",
    "delete",
    "restore",
];

/// A tab: what it knows of the inbox.
struct Tab {
    client: Client,
    user: User,
    random: u64,
    epoch: String,
    seq: i64,
    unread: i64,
    items: BTreeMap<String, Value>,
    /// All that it has ever seen, also what is deleted by now.
    seen: Vec<String>,
}

impl Tab {
    fn new(client: Client, user: User, seed: u64) -> Self {
        let (epoch, items) = (Uuid::nil().simple().to_string(), BTreeMap::new());
        let random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self {
            client,
            user,
            random,
            epoch,
            seq: 0,
            unread: 0,
            items,
            seen: Vec::new(),
        }
    }

    /// A number below `below`, the same at each run with the same seed (xorshift).
    fn below(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below as u64).expect("a small number")
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let token = Some(self.user.token.as_str());
        let response = self
            .client
            .ask(method, path, token, body)
            .await
            .expect("an answer");
        assert!(
            matches!(response.status, 200 | 404),
            "{path}: {}",
            response.body
        );
        response.body
    }

    /// Comes to the present state.
    async fn resume(&mut self) {
        let path = format!("{LIST}changes/?epoch={}&since={}", self.epoch, self.seq);
        let changes = self.ask(Method::GET, &path, None).await;
        let number = |name: &str| changes[name].as_i64().expect("a number");
        self.epoch = changes["epoch"].as_str().expect("an epoch").to_owned();
        (self.seq, self.unread) = (number("seq"), number("unread"));
        if changes["type"] == "reset" {
            // What is read after the position may be newer; the next changes say it again.
            self.items.clear();
            for archived in [false, true] {
                self.load(archived).await;
            }
            return;
        }
        for item in changes["items"].as_array().expect("a list") {
            self.keep(item.clone());
        }
        for id in changes["gone"].as_array().expect("a list") {
            self.items.remove(id.as_str().expect("an id"));
        }
    }

    async fn load(&mut self, archived: bool) {
        let mut cursor = json!("newest");
        while let Some(at) = cursor.as_str() {
            let path = format!("{LIST}?archived={archived}&limit=7&cursor={at}");
            let part = self.ask(Method::GET, &path, None).await;
            for item in part["data"].as_array().expect("a list") {
                self.keep(item.clone());
            }
            cursor = part["next_cursor"].clone();
        }
    }

    fn keep(&mut self, item: Value) {
        let id = item["id"].as_str().expect("an id").to_owned();
        if !self.seen.contains(&id) {
            self.seen.push(id.clone());
        }
        self.items.insert(id, item);
    }

    /// Does something, or is cut off for a while: then others change the inbox, and this tab does not hear of it.
    async fn step(&mut self) {
        match self.below(10) {
            0..4 => self.resume().await,
            4 => {
                let until = json!({"until_seq": self.seq});
                self.ask(Method::POST, &format!("{LIST}read-all/"), Some(&until))
                    .await;
            }
            _ if self.seen.is_empty() => {}
            _ => {
                let at = self.below(self.seen.len());
                let id = self.seen[at].clone();
                match VERBS[self.below(VERBS.len())] {
                    "delete" => {
                        self.ask(Method::DELETE, &format!("{LIST}{id}/"), None)
                            .await
                    }
                    verb => {
                        self.ask(Method::POST, &format!("{LIST}{id}/{verb}/"), None)
                            .await
                    }
                };
            }
        }
    }
}

/// What a user has in the database, as a tab knows it.
async fn held(stack: &Stack, user: &User) -> (i64, BTreeMap<String, (bool, bool)>) {
    let of_user = format!(
        "communications_notification where deleted_at is null and user_id = '{}'",
        user.user_id
    );
    let unread = format!("{of_user} and read_at is null and archived_at is null");
    let rows = format!(
        "select coalesce(json_object_agg(id, json_build_array(read_at is not null, archived_at is not null)), '{{}}')
         from {of_user}"
    );
    let rows: BTreeMap<String, (bool, bool)> =
        serde_json::from_str(&stack.comm.value(&rows).await).expect("JSON");
    (stack.comm.count(&unread).await, rows)
}

#[tokio::test]
async fn every_tab_ends_equal_to_the_database() {
    let stack = Arc::new(Stack::start().await);
    let seed = u64::from(std::process::id());
    let mut tabs = JoinSet::new();
    let mut students = Vec::new();
    for number in 0..2 {
        let (user, welcome) = welcomed(&stack, Role::Student).await;
        for tab in 0..TABS {
            let seed = seed + 1 + number * TABS + tab;
            let mut tab = Tab::new(stack.client.clone(), user.clone(), seed);
            tabs.spawn(async move {
                for _ in 0..STEPS {
                    tab.step().await;
                }
                tab
            });
        }
        students.push(welcome["related_object_id"].clone());
    }
    for number in 0..EVENTS {
        let key = ["stage.started", "stage.accepted"][usize::from(number % 3 == 0)];
        let student_id = &students[usize::from(number % 2 == 0)];
        let payload = json!({"student_id": student_id, "stage_id": Uuid::now_v7()});
        let meta = json!({"event_id": Uuid::now_v7(), "source": "core-service"});
        let body = json!({"payload": payload, "_meta": meta}).to_string();
        stack.vhost.publish(key, body).await;
    }
    let tabs = tabs.join_all().await;
    eventually(Duration::from_secs(30), "all are notified", async || {
        stack.comm.count("communications_notification").await == 2 + EVENTS
    })
    .await;
    assert_eq!(stack.comm.count(WRONG).await, 0, "seed {seed}");
    for mut tab in tabs {
        tab.resume().await;
        let knows = tab.items.iter().map(|(id, item)| {
            (
                id.clone(),
                (item["read_at"].is_string(), item["archived_at"].is_string()),
            )
        });
        let knows: BTreeMap<_, _> = knows.collect();
        assert_eq!(
            (tab.unread, knows),
            held(&stack, &tab.user).await,
            "seed {seed}"
        );
        let count = tab
            .ask(Method::GET, &format!("{LIST}unread-count/"), None)
            .await;
        assert_eq!(count["unread_count"], tab.unread);
    }
}
