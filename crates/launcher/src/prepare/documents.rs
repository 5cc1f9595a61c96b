//! The documents of the events, the baselines of the compatibility gate, and the documents of the routes.

use super::files::{self, Files};
use crate::{command_spec::CommandSpec, output::say, workspace::Workspace};
use anyhow::{Context as _, bail};
use events::{catalogue::EVENTS, compatibility, topology::SERVICES};
use std::{fs, path::Path, process::Stdio};

/// Refreshes the documents, the baselines, and the sample of each version of each event, which is never removed.
pub(super) fn events(root: &Path, check: bool) -> anyhow::Result<()> {
    let documents = events::documents::all().into_iter();
    let mut fresh: Files = documents
        .map(|(path, text)| (format!("docs/{path}"), text))
        .collect();
    for entry in &EVENTS {
        let file = |dir: &str| {
            format!(
                "crates/events/tests/{dir}/{}@{}.json",
                entry.key, entry.schema_version
            )
        };
        let baseline = file("baseline");
        let accepted = fs::read_to_string(root.join(&baseline)).ok();
        fresh.insert(
            baseline,
            compatibility::baseline(entry, accepted.as_deref())?,
        );
        let published = file("published");
        if !root.join(&published).exists() {
            fresh.insert(published, entry.sample());
        }
    }
    let mut old: Files = fresh
        .keys()
        .filter_map(|path| Some((path.clone(), fs::read_to_string(root.join(path)).ok()?)))
        .collect();
    let schemas = files::read(&root.join("docs/schemas"))?.into_iter();
    old.extend(schemas.map(|(name, text)| (format!("docs/schemas/{name}"), text)));
    let stale = files::differences(&old, &fresh);
    if check && let Some(path) = stale.first() {
        bail!("{path} is stale; try: ./medtrack prepare");
    }
    files::replace(root, &old, &fresh)?;
    say(&format!(
        "The events' documents are current ({} files, {} refreshed)",
        fresh.len(),
        stale.len()
    ));
    Ok(())
}

/// Refreshes the documents of the routes: each service prints its own. They are built as the shim builds them, so that
/// the next `up` has nothing to compile.
pub(super) async fn routes(workspace: &Workspace) -> anyhow::Result<()> {
    let dir = workspace.repository.join("docs/openapi");
    let mut fresh = Files::new();
    let build = CommandSpec::new("cargo")
        .args(["build", "--locked", "--workspace", "--bins"])
        .args(workspace.release_flag())
        .dir(&workspace.repository);
    let status = build.with_parent_death_signal().status().await;
    if !status.context("cannot run cargo")?.success() {
        bail!("the services do not compile; see above");
    }
    for service in SERVICES {
        let profile = workspace.release_flag().map_or("debug", |_| "release");
        let program = workspace.target_dir().join(profile).join(service.name);
        let mut command = CommandSpec::new(program)
            .arg("openapi")
            .with_parent_death_signal();
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .await
            .with_context(|| format!("cannot run {}", service.name))?;
        if !output.status.success() {
            bail!("{} cannot describe its routes; see above", service.name);
        }
        let text = String::from_utf8(output.stdout).context("a document is not UTF-8")?;
        fresh.insert(format!("{}.json", service.name), text);
    }
    files::replace(&dir, &files::read(&dir)?, &fresh)
}
