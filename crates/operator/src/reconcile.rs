//! Compares what auth-service, profile-service and comm-service have recorded about each user, and has the owner announce
//! again what a reader has missed.
//!
//! The users of all services are read as three sorted streams, side by side, and mended in chunks, so that the memory does
//! not grow with their number.

mod compare;
mod mending;
mod sample;

pub(crate) use compare::{Deviation, Mend};
pub(crate) use sample::compare_newest;

use crate::{
    endpoints::Endpoints,
    topology::{self, MissingBindings},
    views::{self, KnownUser},
};
use chrono::Utc;
use compare::{Records, compare};
use events::topology::{AUTH, COMM, PROFILE};
use futures_util::{
    StreamExt as _,
    stream::{BoxStream, Peekable},
};
use mending::Mending;
use messaging::admin::{Actor, Request};
use serde::Serialize;
use sqlx::PgConnection;
use std::pin::Pin;
use uuid::Uuid;

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

    /// How many users were deleted whom a service has not erased.
    pub(crate) fn to_erase(&self) -> usize {
        let mut findings = self.findings.iter();
        let deletions = findings.find(|one| one.deviation == Deviation::DeletionNotHonoured);
        deletions.map_or(0, |finding| finding.users)
    }

    /// A person must decide about some of the users.
    pub(crate) fn needs_a_person(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.deviation.mend() == Mend::Person)
    }
}

/// Compares the services. With an actor the missing bindings are made, the owners are asked to announce again, and the
/// audit records it.
pub(crate) async fn reconcile(
    endpoints: &Endpoints,
    actor: Option<Actor<'_>>,
) -> anyhow::Result<Reconciliation> {
    let missing_bindings = topology::missing_bindings(endpoints).await?;
    if actor.is_some() && !missing_bindings.is_empty() {
        topology::apply(endpoints).await?;
    }
    let mut mending = Mending::new(endpoints, actor);
    let users = compare_users(endpoints, &mut mending).await?;
    Ok(Reconciliation {
        users,
        findings: mending.finish().await?,
        missing_bindings,
        fixed: actor.is_some(),
    })
}

/// Compares all users, and returns how many they are.
async fn compare_users(endpoints: &Endpoints, mending: &mut Mending<'_>) -> anyhow::Result<u64> {
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
    let mut users = 0;
    loop {
        let next = [
            auth.next_id().await?,
            profile.next_id().await?,
            comm.next_id().await?,
        ];
        let Some(user_id) = next.into_iter().flatten().min() else {
            return Ok(users);
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
            mending.add(deviation, request).await?;
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
