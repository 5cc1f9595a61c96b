//! Compares what the three services have recorded about each user, and has the owner announce again what a reader
//! has missed.
//!
//! The users of all services are read as three sorted streams, side by side, so that the memory does not grow with
//! their number.

mod compare;

pub(crate) use compare::{Deviation, Mend};

use crate::{
    endpoints::Endpoints,
    topology::{self, MissingBindings},
    views::{self, KnownUser},
};
use anyhow::Context as _;
use chrono::Utc;
use compare::{Records, compare};
use events::{
    auth::UserDeleted,
    topology::{AUTH, COMM, PROFILE, Service},
};
use futures_util::{
    StreamExt as _,
    stream::{BoxStream, Peekable},
};
use messaging::admin::{self, Request};
use serde::Serialize;
use sqlx::PgConnection;
use std::{collections::BTreeMap, pin::Pin};
use uuid::Uuid;

/// How many aggregates one statement names.
const CHUNK: usize = 10_000;
/// How many users are named as examples.
const EXAMPLES: usize = 3;

/// What a comparison has found.
#[derive(Debug, Serialize)]
pub(crate) struct Reconciliation {
    /// How many users were compared.
    pub(crate) users: u64,
    pub(crate) findings: Vec<Finding>,
    pub(crate) missing_bindings: Vec<MissingBindings>,
    /// The announcements were requested, and the bindings made.
    pub(crate) fixed: bool,
}

/// Users whose records deviate in the same way.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) deviation: Deviation,
    pub(crate) users: usize,
    pub(crate) examples: Vec<Uuid>,
}

impl Reconciliation {
    /// No service has missed anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.missing_bindings.is_empty()
    }

    /// A person must decide about some of the users.
    pub(crate) fn needs_a_person(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.deviation.mend() == Mend::Person)
    }
}

/// Compares the services. With `fix` the missing bindings are made, and the owners are asked to announce again.
pub(crate) async fn reconcile(endpoints: &Endpoints, fix: bool) -> anyhow::Result<Reconciliation> {
    let missing_bindings = topology::missing_bindings(endpoints).await?;
    if fix && !missing_bindings.is_empty() {
        topology::apply(endpoints).await?;
    }
    let (users, mut deviations) = compare_users(endpoints).await?;
    prove_deletions(endpoints, &mut deviations).await?;
    if fix {
        for (deviation, requests) in &deviations {
            let owner = match deviation.mend() {
                Mend::Announce(owner) => owner,
                Mend::Person => continue,
            };
            let mut connection = endpoints.database(owner).await?;
            for requests in requests.chunks(CHUNK) {
                let request = admin::announce(&mut connection, requests);
                request.await.with_context(|| asking(owner))?;
            }
        }
    }
    let findings = deviations
        .into_iter()
        .map(|(deviation, requests)| Finding {
            deviation,
            users: requests.len(),
            examples: ids(&requests).into_iter().take(EXAMPLES).collect(),
        })
        .collect();
    Ok(Reconciliation {
        users,
        findings,
        missing_bindings,
        fixed: fix,
    })
}

fn asking(owner: &Service) -> String {
    format!(
        "{} cannot be asked to announce; is its database at this version's schema?",
        owner.name
    )
}

fn ids(requests: &[Request]) -> Vec<Uuid> {
    requests
        .iter()
        .map(|request| request.aggregate_id)
        .collect()
}

type Deviations = BTreeMap<Deviation, Vec<Request>>;

/// Compares all users, and returns how many they are.
async fn compare_users(endpoints: &Endpoints) -> anyhow::Result<(u64, Deviations)> {
    // The readers first: a user whom a reader knows was at auth-service before.
    let mut comm = endpoints.database(&COMM).await?;
    let mut profile = endpoints.database(&PROFILE).await?;
    let mut auth = endpoints.database(&AUTH).await?;
    let mut comm = Users::of(&mut comm);
    comm.next_id().await?;
    let mut profile = Users::of(&mut profile);
    profile.next_id().await?;
    let mut auth = Users::of(&mut auth);
    let now = Utc::now();
    let (mut users, mut deviations) = (0, Deviations::new());
    loop {
        let next = [
            auth.next_id().await?,
            profile.next_id().await?,
            comm.next_id().await?,
        ];
        let Some(user_id) = next.into_iter().flatten().min() else {
            return Ok((users, deviations));
        };
        users += 1;
        let records = Records {
            auth: auth.take(user_id).await?,
            profile: profile.take(user_id).await?,
            comm: comm.take(user_id).await?,
        };
        if let Some((deviation, at_least)) = compare(&records, now) {
            let request = Request {
                aggregate_id: user_id,
                at_least,
            };
            deviations.entry(deviation).or_default().push(request);
        }
    }
}

/// The users of one service, in the order of their ids.
struct Users<'a>(Pin<Box<Peekable<BoxStream<'a, sqlx::Result<KnownUser>>>>>);

impl<'a> Users<'a> {
    fn of(connection: &'a mut PgConnection) -> Self {
        Self(Box::pin(views::users(connection).peekable()))
    }

    async fn next_id(&mut self) -> sqlx::Result<Option<Uuid>> {
        match self.0.as_mut().peek().await {
            None => Ok(None),
            Some(Ok(user)) => Ok(Some(user.user_id)),
            Some(Err(_)) => match self.0.next().await {
                Some(Err(error)) => Err(error),
                _ => Ok(None),
            },
        }
    }

    async fn take(&mut self, user_id: Uuid) -> sqlx::Result<Option<KnownUser>> {
        if self.next_id().await? != Some(user_id) {
            return Ok(None);
        }
        self.0.next().await.transpose()
    }
}

/// A user whom auth-service does not know was deleted when the outbox of auth-service says so.
async fn prove_deletions(endpoints: &Endpoints, deviations: &mut Deviations) -> anyhow::Result<()> {
    let Some(orphans) = deviations.remove(&Deviation::ProfileWithoutUser) else {
        return Ok(());
    };
    let mut connection = endpoints.database(&AUTH).await?;
    for chunk in orphans.chunks(CHUNK) {
        let deleted = admin::announced::<UserDeleted>(&mut connection, &ids(chunk)).await?;
        for request in chunk {
            let deviation = if deleted.contains(&request.aggregate_id) {
                Deviation::DeletionNotHonoured
            } else {
                Deviation::ProfileWithoutUser
            };
            deviations.entry(deviation).or_default().push(*request);
        }
    }
    Ok(())
}
