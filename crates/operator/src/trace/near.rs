//! Addresses that differ from what was asked in a few letters.

use super::Databases;
use crate::{edit_distance::distance, endpoints::PATIENCE, views};
use futures_util::StreamExt as _;
use std::collections::BTreeSet;
use tokio::time::timeout;

/// How many addresses of each service are compared.
const COMPARED: i64 = 100_000;
/// How many addresses are offered.
const OFFERED: usize = 5;

/// Returns the addresses that are nearest to `subject`, at most [`OFFERED`]. Of a large table only a part is compared, and
/// for some seconds only.
pub(super) async fn addresses(
    databases: &mut Databases,
    subject: &str,
) -> anyhow::Result<Vec<String>> {
    let mut near = BTreeSet::new();
    // What was found until then counts.
    let _late = timeout(PATIENCE, compare(databases, subject, &mut near)).await;
    Ok(near.into_iter().map(|(_, address)| address).collect())
}

async fn compare(
    databases: &mut Databases,
    subject: &str,
    near: &mut BTreeSet<(usize, String)>,
) -> sqlx::Result<()> {
    let subject: Vec<char> = subject.to_lowercase().chars().collect();
    let limit = (subject.len() / 5).clamp(1, 3);
    for (_, connection) in databases {
        let mut addresses = views::addresses(connection, COMPARED);
        while let Some(address) = addresses.next().await.transpose()? {
            // Without an @, the part before it is meant.
            let compared = match subject.contains(&'@') {
                true => &address,
                false => address.split('@').next().unwrap_or_default(),
            };
            let compared: Vec<char> = compared.chars().collect();
            if let Some(distance) = distance(&subject, &compared, limit) {
                near.insert((distance, address));
                if near.len() > OFFERED {
                    near.pop_last();
                }
            }
        }
    }
    Ok(())
}
