//! The comparison of some users only, which takes as long for a million users.

use super::{
    Finding,
    compare::{Records, compare},
    mending::Mending,
};
use crate::{
    endpoints::Endpoints,
    views::{self, KnownUser},
};
use chrono::Utc;
use events::topology::{AUTH, COMM, PROFILE, Service};
use messaging::admin::Request;
use std::collections::HashMap;
use uuid::Uuid;

/// What the comparison of some users has found.
pub(crate) struct Sample {
    /// How many users were compared.
    pub(crate) users: u64,
    pub(crate) findings: Vec<Finding>,
}

/// Compares the newest users of auth-service and of profile-service, `most` of each.
pub(crate) async fn compare_newest(endpoints: &Endpoints, most: i64) -> anyhow::Result<Sample> {
    let mut ids = newest(endpoints, &PROFILE, most).await?;
    ids.extend(newest(endpoints, &AUTH, most).await?);
    ids.sort_unstable();
    ids.dedup();
    // The readers first: a user whom a reader knows was at auth-service before.
    let comm = known(endpoints, &COMM, &ids).await?;
    let profile = known(endpoints, &PROFILE, &ids).await?;
    let auth = known(endpoints, &AUTH, &ids).await?;
    let now = Utc::now();
    let mut mending = Mending::new(endpoints, None);
    for user_id in &ids {
        let records = Records {
            auth: auth.get(user_id).copied(),
            profile: profile.get(user_id).copied(),
            comm: comm.get(user_id).copied(),
        };
        if let Some((deviation, at_least)) = compare(&records, now) {
            let request = Request {
                aggregate_id: *user_id,
                at_least,
            };
            mending.add(deviation, request).await?;
        }
    }
    Ok(Sample {
        users: ids.len() as u64,
        findings: mending.finish().await?,
    })
}

async fn newest(endpoints: &Endpoints, service: &Service, most: i64) -> anyhow::Result<Vec<Uuid>> {
    let mut connection = endpoints.database(service).await?;
    Ok(views::newest_users(&mut connection, most).await?)
}

async fn known(
    endpoints: &Endpoints,
    service: &Service,
    ids: &[Uuid],
) -> anyhow::Result<HashMap<Uuid, KnownUser>> {
    let mut connection = endpoints.database(service).await?;
    let users = views::users_of(&mut connection, ids).await?;
    Ok(users.into_iter().map(|user| (user.user_id, user)).collect())
}
