//! `medtrack trace`.

use super::{table::Columns, text};
use crate::{
    endpoints::Endpoints,
    trace::{self, Chain, Hop},
};
use anyhow::bail;

pub(super) async fn run(endpoints: &Endpoints, subject: &str, json: bool) -> anyhow::Result<()> {
    let chains = trace::find(endpoints, subject).await?;
    if chains.is_empty() {
        bail!(
            "no event of {subject} is stored: it is neither a user's e-mail or id, nor a correlation or event id of \
             the last days; {}, {}",
            endpoints.advice("outbox"),
            endpoints.command_line.operator("dead list")
        );
    }
    if json {
        say!("{}", text::json(&chains)?);
        return Ok(());
    }
    for chain in &chains {
        print(chain)?;
    }
    Ok(())
}

/// Prints a chain as a table, then where it is stuck.
pub(super) fn print(
    Chain {
        correlation_id,
        hops,
    }: &Chain,
) -> anyhow::Result<()> {
    let began = hops.iter().find_map(|hop| hop.at);
    say!(
        "{}  correlation id {correlation_id}",
        began.map(|at| at.to_string()).unwrap_or_default()
    );
    let columns = Columns {
        names: &["MS", "SERVICE", "WHAT", "EVENT"],
        none: "",
        cells: |hop: &Hop| {
            vec![
                hop.milliseconds.map_or("–".into(), |ms| ms.to_string()),
                hop.service.into(),
                hop.what.clone(),
                hop.event_id.to_string(),
            ]
        },
    };
    columns.print(hops, false)?;
    let mut stuck = hops.iter().filter(|hop| hop.advice.is_some()).peekable();
    if stuck.peek().is_none() {
        let last = hops.iter().filter_map(|hop| hop.milliseconds).max();
        say!("complete in {} ms", last.unwrap_or_default());
    }
    for hop in stuck {
        say!(
            "stuck at {}-service: {}",
            hop.service,
            text::line(&hop.what)
        );
        say!("    try: {}", hop.advice.as_deref().unwrap_or_default());
    }
    say!("");
    Ok(())
}
