//! The connection between a running `up` and the commands of other terminals: one request and one response, in JSON,
//! over a Unix socket that only the owner of the state directory can open.

use crate::{output::say, units::Scale, workspace::Workspace};
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
};

/// A request to a running stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Return the table of units.
    Ps,
    /// Return the box of addresses, once everything is ready.
    Ready,
    /// Stop these units.
    Stop(Vec<String>),
    /// Start those of these units that are stopped.
    Start(Vec<String>),
    /// Restart these units, or start them.
    Restart(Vec<String>),
    /// Let these consumers have so many processes.
    Scale(Scale),
    /// Stop everything.
    Shutdown,
}

/// The response: text for a person.
pub(crate) type Response = Result<String, String>;

/// Where the response goes.
pub(crate) type Reply = oneshot::Sender<Response>;

/// A request, and where its response goes.
pub(crate) type Call = (Request, Reply);

/// Listens for requests, and passes them on.
pub(crate) fn listen(workspace: &Workspace) -> anyhow::Result<mpsc::Receiver<Call>> {
    let path = workspace.socket();
    // A killed launcher leaves its socket. No process listens on it: this one holds the lock.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    let (calls, received) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, calls.clone()));
        }
    });
    Ok(received)
}

async fn serve(mut stream: UnixStream, calls: mpsc::Sender<Call>) -> anyhow::Result<()> {
    let mut request = Vec::new();
    (&mut stream).take(65_536).read_to_end(&mut request).await?;
    let (reply, replied) = oneshot::channel();
    calls
        .send((serde_json::from_slice(&request)?, reply))
        .await?;
    stream
        .write_all(&serde_json::to_vec(&replied.await?)?)
        .await?;
    Ok(())
}

/// Sends a request to a running stack; `None` when none is running, or it ends before it responds.
pub(crate) async fn call(
    workspace: &Workspace,
    request: &Request,
) -> anyhow::Result<Option<Response>> {
    let request = serde_json::to_vec(request)?;
    let exchange = async {
        let mut stream = UnixStream::connect(workspace.socket()).await?;
        stream.write_all(&request).await?;
        stream.shutdown().await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        std::io::Result::Ok(response)
    };
    match exchange.await {
        Ok(response) if !response.is_empty() => Ok(Some(serde_json::from_slice(&response)?)),
        _ => Ok(None),
    }
}

/// Prints the units of a running stack as JSON.
pub(crate) async fn print_units(workspace: &Workspace) -> anyhow::Result<()> {
    if call(workspace, &Request::Ps).await?.is_none() {
        bail!("the system does not run here; try: ./medtrack up");
    }
    let units = std::fs::read_to_string(workspace.path("units.json"));
    say(&units.context("the list of units cannot be read; try: ./medtrack ps")?);
    Ok(())
}

/// Sends a request to a running stack and prints the response.
pub(crate) async fn send(workspace: &Workspace, request: &Request) -> anyhow::Result<()> {
    match call(workspace, request).await? {
        Some(Ok(text)) => say(&text),
        Some(Err(text)) => bail!("{text}"),
        None => bail!("the system does not run here; try: ./medtrack up"),
    }
    Ok(())
}
