//! Ports on loopback: the usual ones where they are free, others where they are not, and the same ones next time.

use crate::home::Home;
use anyhow::Context as _;
use std::{collections::BTreeMap, fs, net::TcpListener};

/// Below the range that the system hands out to clients, so that nobody gets one by chance.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Name → port.
pub(crate) type Ports = BTreeMap<String, u16>;

/// Ports for `wanted` (name and the usual port): the usual ones, else those of the last time, else any.
pub(crate) fn choose(home: &Home, wanted: &[(&str, Option<u16>)]) -> anyhow::Result<Ports> {
    let path = home.path("ports.json");
    let known: Ports =
        fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut ports = Ports::new();
    for (name, usual) in wanted {
        let candidates = usual.iter().copied().chain(known.get(*name).copied());
        let port =
            candidates.into_iter().find(|port| !ports.values().any(|taken| taken == port) && is_free(*port));
        let port = match port {
            Some(port) => port,
            None => any_free(&ports)?,
        };
        ports.insert((*name).to_owned(), port);
    }
    fs::write(&path, serde_json::to_string_pretty(&ports)?)?;
    Ok(ports)
}

/// A free port that is not among `taken`.
pub(crate) fn any_free(taken: &Ports) -> anyhow::Result<u16> {
    // Another launcher may be choosing at the same moment: start at different places.
    let start = uuid::Uuid::new_v4().as_u128() % RANGE.len() as u128;
    let free = RANGE.cycle().skip(usize::try_from(start)?).take(RANGE.len());
    let mut free = free.filter(|port| !taken.values().any(|taken| taken == port) && is_free(*port));
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
        let folder = std::env::temp_dir().join(format!("medtrack-ports-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let home = Home { root: folder.clone(), folder: folder.clone() };
        let first = choose(&home, &[("a", None), ("b", None)]).unwrap();
        assert_ne!(first["a"], first["b"]);
        assert_eq!(choose(&home, &[("a", None), ("b", None)]).unwrap(), first);
        let _taken = TcpListener::bind(("127.0.0.1", first["a"])).unwrap();
        let usual = any_free(&first).unwrap();
        let second = choose(&home, &[("a", Some(first["a"])), ("b", Some(usual))]).unwrap();
        assert_ne!(second["a"], first["a"]);
        assert_eq!(second["b"], usual, "the usual port again as soon as it is free");
        fs::remove_dir_all(folder).unwrap();
    }
}
