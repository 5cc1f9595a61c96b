//! What a person may set for `up`: a variable of the environment, else the same line of `.env` in the repository.

use crate::workspace::Workspace;
use anyhow::Context as _;
use std::fs;

/// Pages that may call the API from a browser.
pub(crate) const CORS_ORIGINS: &str = "CORS_ORIGINS";
/// The mail server.
pub(crate) const MAIL_URL: &str = "MAIL_URL";
/// The sender of mails.
pub(crate) const MAIL_FROM: &str = "MAIL_FROM";
/// The pages that notifications link to.
pub(crate) const NOTICE_LINKS: &str = "NOTICE_LINKS";
/// The address of the gateway, as users type it.
pub(crate) const PUBLIC_URL: &str = "PUBLIC_URL";
/// The port of the gateway.
const GATEWAY_PORT: &str = "GATEWAY_PORT";

/// Returns the value of a setting; `None` where it is not set.
pub(crate) fn value(workspace: &Workspace, name: &str) -> Option<String> {
    std::env::var(name).ok().or_else(|| {
        let file = fs::read_to_string(workspace.repository.join(".env")).ok()?;
        in_file(&file, name)
    })
}

/// The port that a person has set for the gateway.
pub(crate) fn gateway_port(workspace: &Workspace) -> anyhow::Result<Option<u16>> {
    let text = value(workspace, GATEWAY_PORT).filter(|text| !text.is_empty());
    let port = text.map(|text| {
        text.parse()
            .with_context(|| format!("{GATEWAY_PORT}: {text:?} is no port"))
    });
    port.transpose()
}

fn in_file(file: &str, name: &str) -> Option<String> {
    let lines = file.lines().rev().map(str::trim);
    let mut values = lines.filter_map(|line| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=')?;
        (key.trim_end() == name).then_some(value.trim())
    });
    let value = values.next()?;
    let quoted = ['"', '\''].into_iter().find_map(|quote| {
        let (inside, _) = value.strip_prefix(quote)?.split_once(quote)?;
        Some(inside)
    });
    let bare = || value.split(" #").next().unwrap_or_default().trim_end();
    Some(quoted.unwrap_or_else(bare).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_as_docker_compose_reads_it() {
        let file = "# CORS_ORIGINS=no\nCORS_ORIGINS_2=no\nCORS_ORIGINS=http://a:1 # dev\n\
                    export QUOTED='http://a:1,http://b:2' # both\nEMPTY=\nTWICE=1\nTWICE=2\n";
        for (name, value) in [
            ("CORS_ORIGINS", Some("http://a:1")),
            ("QUOTED", Some("http://a:1,http://b:2")),
            ("EMPTY", Some("")),
            ("TWICE", Some("2")),
            ("ABSENT", None),
        ] {
            assert_eq!(in_file(file, name).as_deref(), value, "{name}");
        }
    }

    /// `GATEWAY_PORT=80` would be right for docker-compose only.
    #[test]
    fn a_copy_of_the_example_leaves_the_gateway_where_it_is() {
        let example = include_str!("../../../.env.example");
        assert_eq!(in_file(example, GATEWAY_PORT), None);
        assert!(in_file(example, CORS_ORIGINS).is_some());
        assert!(example.contains("# GATEWAY_PORT=80\n"));
    }
}
