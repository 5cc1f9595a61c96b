//! The line between a running `up` and the commands of another terminal: one request, one answer, in JSON, over a
//! Unix socket that only the owner of the state directory reaches.

use crate::workspace::Workspace;
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
};

/// What can be asked of a running stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The table of units.
    Ps,
    /// The box of addresses, once all is ready.
    Ready,
    /// Stop these units.
    Stop(Vec<String>),
    /// Restart these units, or start them.
    Restart(Vec<String>),
    /// Stop everything.
    Shutdown,
}

/// The answer: text for a person.
pub(crate) type Answer = Result<String, String>;

/// The way back to who asked.
pub(crate) type Reply = oneshot::Sender<Answer>;

/// A request.
pub(crate) type Call = (Request, Reply);

/// Listens for requests.
pub(crate) fn listen(workspace: &Workspace) -> anyhow::Result<mpsc::Receiver<Call>> {
    let path = workspace.socket();
    // A socket that a killed launcher left; the lock says that nobody listens there.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot listen on {}", path.display()))?;
    let (calls, received) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(response(stream, calls.clone()));
        }
    });
    Ok(received)
}

async fn response(mut stream: UnixStream, calls: mpsc::Sender<Call>) -> anyhow::Result<()> {
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

/// Asks a running stack; `None` when none is running, or it dies over the question.
pub(crate) async fn ask(
    workspace: &Workspace,
    request: &Request,
) -> anyhow::Result<Option<Answer>> {
    let request = serde_json::to_vec(request)?;
    let asking = async {
        let mut stream = UnixStream::connect(workspace.socket()).await?;
        stream.write_all(&request).await?;
        stream.shutdown().await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        std::io::Result::Ok(response)
    };
    match asking.await {
        Ok(response) if !response.is_empty() => Ok(Some(serde_json::from_slice(&response)?)),
        _ => Ok(None),
    }
}

/// Asks a running stack and prints its answer.
pub(crate) async fn tell(workspace: &Workspace, request: &Request) -> anyhow::Result<()> {
    match ask(workspace, request).await? {
        Some(Ok(text)) => say!("{text}"),
        Some(Err(text)) => bail!("{text}"),
        None => bail!("nothing is running here; try: ./medtrack up"),
    }
    Ok(())
}
