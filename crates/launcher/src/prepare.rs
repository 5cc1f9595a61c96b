//! `prepare`: refreshes what is generated from the code and from the migrations: `.sqlx/`, which describes the checked
//! queries, and the documents of events and routes. It changes no other file, and writes only files whose text differs.

mod documents;
mod files;
mod queries;

use crate::{output::say, workspace::Workspace};

/// Refreshes everything; with `check` changes nothing and fails when a file is stale. The services' own tests hold the
/// documents of the routes against the services, so `check` leaves these out.
pub(crate) async fn run(workspace: &Workspace, check: bool) -> anyhow::Result<()> {
    queries::refresh(workspace, check).await?;
    documents::events(&workspace.repository, check)?;
    if !check {
        documents::routes(workspace).await?;
        say("docs/openapi is current");
    }
    Ok(())
}
