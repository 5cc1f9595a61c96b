//! What becomes of the users whose records deviate: they are counted, and their owner is asked to announce them. It
//! happens in chunks during the comparison, so that the memory does not grow with their number.

use super::{Deviation, Finding, Mend};
use crate::{endpoints::Endpoints, words::count};
use anyhow::Context as _;
use events::{auth::UserDeleted, topology::AUTH};
use messaging::admin::{self, Actor, Deed, Request};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::{
    collections::{BTreeMap, HashSet},
    mem,
};
use uuid::Uuid;

/// How many aggregates one statement names.
const CHUNK: usize = 10_000;
/// How many users are named as examples.
const EXAMPLES: usize = 3;

/// Collects deviations.
pub(super) struct Mending<'a> {
    endpoints: &'a Endpoints,
    actor: Option<Actor<'a>>,
    pending: BTreeMap<Deviation, Vec<Request>>,
    findings: BTreeMap<Deviation, Finding>,
}

impl<'a> Mending<'a> {
    /// With an actor the owners are asked to announce.
    pub(super) fn new(endpoints: &'a Endpoints, actor: Option<Actor<'a>>) -> Self {
        Self {
            endpoints,
            actor,
            pending: BTreeMap::new(),
            findings: BTreeMap::new(),
        }
    }

    pub(super) async fn add(
        &mut self,
        deviation: Deviation,
        request: Request,
    ) -> anyhow::Result<()> {
        let pending = self.pending.entry(deviation).or_default();
        pending.push(request);
        if pending.len() < CHUNK {
            return Ok(());
        }
        let requests = mem::take(pending);
        self.settle(deviation, requests).await
    }

    /// Settles the rest, and returns what was found.
    pub(super) async fn finish(mut self) -> anyhow::Result<Vec<Finding>> {
        for (deviation, requests) in mem::take(&mut self.pending) {
            self.settle(deviation, requests).await?;
        }
        Ok(self.findings.into_values().collect())
    }

    async fn settle(&mut self, deviation: Deviation, requests: Vec<Request>) -> anyhow::Result<()> {
        if deviation != Deviation::ProfileWithoutUser {
            return self.settle_proven(deviation, &requests).await;
        }
        let (deleted, orphans) = self.prove_deletions(requests).await?;
        self.settle_proven(Deviation::DeletionNotHonoured, &deleted)
            .await?;
        self.settle_proven(Deviation::ProfileWithoutUser, &orphans)
            .await
    }

    /// A user whom auth-service does not know was deleted when the outbox of auth-service says so. Returns first those
    /// who were.
    async fn prove_deletions(
        &self,
        requests: Vec<Request>,
    ) -> anyhow::Result<(Vec<Request>, Vec<Request>)> {
        let mut connection = self.endpoints.database(&AUTH).await?;
        let ids: Vec<Uuid> = requests
            .iter()
            .map(|request| request.aggregate_id)
            .collect();
        let deleted = admin::announced::<UserDeleted>(&mut connection, &ids).await?;
        let deleted: HashSet<Uuid> = deleted.into_iter().collect();
        let is_deleted = |request: &Request| deleted.contains(&request.aggregate_id);
        Ok(requests.into_iter().partition(is_deleted))
    }

    async fn settle_proven(
        &mut self,
        deviation: Deviation,
        requests: &[Request],
    ) -> anyhow::Result<()> {
        if requests.is_empty() {
            return Ok(());
        }
        let finding = self.findings.entry(deviation).or_insert(Finding {
            deviation,
            users: 0,
            examples: Vec::new(),
        });
        finding.users += requests.len();
        let missing = EXAMPLES - finding.examples.len();
        let examples = requests.iter().map(|request| request.aggregate_id);
        finding.examples.extend(examples.take(missing));
        if let (Some(actor), Mend::Announce(owner)) = (self.actor, deviation.mend()) {
            let mut connection = self.endpoints.database(owner).await?;
            let announced = announce(&mut connection, deviation, requests, actor).await;
            announced.with_context(|| {
                format!(
                    "{} cannot be asked to announce; is its database at this version's schema?",
                    owner.name
                )
            })?;
        }
        Ok(())
    }
}

/// Asks for announcements, and records it.
async fn announce(
    connection: &mut PgConnection,
    deviation: Deviation,
    requests: &[Request],
    actor: Actor<'_>,
) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    admin::announce(&mut transaction, requests).await?;
    let users = count(requests.len() as u64, "user");
    let detail = format!("{users}: {}", json!(deviation).as_str().unwrap_or_default());
    let deed = Deed {
        verb: "announce",
        event_id: None,
        routing_key: "",
        detail: &detail,
    };
    admin::record(&mut transaction, actor, &deed).await?;
    transaction.commit().await
}
