//! Who uses the command: the name that stands in the audit row of a change.

use crate::command_line::CommandLine;
use anyhow::bail;
use std::{fs, os::unix::fs::MetadataExt as _};

/// Returns the name of the person who uses the command: the one that is given, else `MEDTRACK_OPERATOR`, else the login
/// that started the command.
///
/// # Errors
/// Without a name, in a container: its login is the same for all persons.
pub(crate) fn name(given: Option<&str>, line: &CommandLine) -> anyhow::Result<String> {
    let variable = std::env::var("MEDTRACK_OPERATOR").ok();
    let known = |name: &str| Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    let by = given.and_then(known);
    if let Some(name) = by.or_else(|| variable.as_deref().and_then(known)) {
        return Ok(name);
    }
    match login().filter(|_| !line.is_in_container()) {
        Some(login) => Ok(login),
        None => bail!(
            "the change is recorded with your name, which is not known here; try: add --by NAME, or set \
             MEDTRACK_OPERATOR"
        ),
    }
}

/// The login that started the command, also when it was started with `sudo`.
fn login() -> Option<String> {
    let variable = |name| {
        let value = std::env::var(name).ok();
        value.filter(|value| !value.is_empty())
    };
    variable("SUDO_USER")
        .or_else(login_of_process)
        .or_else(|| variable("LOGNAME"))
        .or_else(|| variable("USER"))
}

fn login_of_process() -> Option<String> {
    let uid = fs::metadata("/proc/self").ok()?.uid().to_string();
    let logins = fs::read_to_string("/etc/passwd").ok()?;
    let mut logins = logins.lines().map(|line| line.split(':'));
    logins.find_map(|mut fields| {
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id == uid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_given_counts_before_the_login() {
        let here = CommandLine::new(None, true);
        assert_eq!(name(Some(" amina "), &here).unwrap(), "amina");
        assert!(!name(None, &here).unwrap().is_empty());
    }

    #[test]
    fn in_a_container_the_login_is_no_name() {
        let line = CommandLine::new(Some("docker-compose run --rm operator".into()), false);
        assert_eq!(name(Some("amina"), &line).unwrap(), "amina");
        if std::env::var_os("MEDTRACK_OPERATOR").is_none() {
            let refused = name(None, &line).unwrap_err().to_string();
            assert!(refused.contains("--by"), "{refused}");
        }
    }
}
