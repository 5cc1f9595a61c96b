//! Ports on loopback: the usual ones where they are free, others where they are not. The file `ports.json` keeps the
//! choice for the next start.

use crate::workspace::Workspace;
use anyhow::Context as _;
use std::{collections::BTreeMap, fs, net::TcpListener, path::PathBuf};

/// Below the range of ports that the system gives to clients, so that no client takes one by chance.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Name → port.
pub(crate) type Ports = BTreeMap<String, u16>;

/// Chooses ports for `wanted` (the name and the usual port): the usual one, else that of the last start, else any.
pub(crate) fn choose(
    workspace: &Workspace,
    wanted: &[(&str, Option<u16>)],
) -> anyhow::Result<Ports> {
    let previous: Ports = fs::read_to_string(path(workspace))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let ports = pick(&previous, wanted, is_free)?;
    keep(workspace, &ports)?;
    Ok(ports)
}

/// Keeps the choice for the next start.
pub(crate) fn keep(workspace: &Workspace, ports: &Ports) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(ports)?;
    fs::write(path(workspace), text).context("cannot write the list of ports")
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.path("ports.json")
}

/// Chooses the port of one more unit: its last one where that is free.
pub(crate) fn add(ports: &mut Ports, name: String) -> anyhow::Result<()> {
    let last = ports.remove(&name).filter(|port| is_free(*port));
    let port = last.map_or_else(|| any_free(ports), Ok)?;
    ports.insert(name, port);
    Ok(())
}

/// A free port that is not among `taken`.
pub(crate) fn any_free(taken: &Ports) -> anyhow::Result<u16> {
    any(taken, is_free)
}

fn pick(
    previous: &Ports,
    wanted: &[(&str, Option<u16>)],
    is_free: impl Fn(u16) -> bool,
) -> anyhow::Result<Ports> {
    let mut ports = Ports::new();
    for (name, usual) in wanted {
        let mut candidates = usual.iter().copied().chain(previous.get(*name).copied());
        let port = match candidates
            .find(|port| !ports.values().any(|taken| taken == port) && is_free(*port))
        {
            Some(port) => port,
            None => any(&ports, &is_free)?,
        };
        ports.insert((*name).to_owned(), port);
    }
    Ok(ports)
}

fn any(taken: &Ports, is_free: impl Fn(u16) -> bool) -> anyhow::Result<u16> {
    // Another launcher may choose at the same moment, so each begins at a random port.
    let start = uuid::Uuid::new_v4().as_u128() % RANGE.len() as u128;
    let ports = RANGE
        .cycle()
        .skip(usize::try_from(start)?)
        .take(RANGE.len());
    let mut free =
        ports.filter(|port| !taken.values().any(|taken| taken == port) && is_free(*port));
    free.next().context("no port is free on this machine")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_remembered_and_a_taken_one_is_replaced() {
        let first = pick(&Ports::new(), &[("a", Some(80)), ("b", None)], |port| {
            port != 80
        })
        .unwrap();
        assert!(
            RANGE.contains(&first["a"]) && RANGE.contains(&first["b"]) && first["a"] != first["b"]
        );
        assert_eq!(
            pick(&first, &[("a", Some(80)), ("b", None)], |port| port != 80).unwrap(),
            first
        );
        let second = pick(&first, &[("a", Some(80)), ("b", None)], |port| {
            port != first["b"]
        })
        .unwrap();
        assert_eq!(
            second["a"], 80,
            "the usual port again as soon as it is free"
        );
        assert_ne!(second["b"], first["b"]);
    }

    #[test]
    fn no_port_is_chosen_twice() {
        let ports = pick(&Ports::new(), &[("a", Some(80)), ("b", Some(80))], |_| true).unwrap();
        assert_ne!(ports["a"], ports["b"]);
        assert!(pick(&ports, &[("a", None)], |_| false).is_err());
    }
}
