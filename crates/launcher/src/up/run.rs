//! The loop of a running stack: restarts units that end, and responds to the commands of other terminals.

use super::{
    scale::{self, Change},
    start,
};
use crate::{
    commands::Up,
    control::{Call, Reply, Request},
    logs,
    output::{self, say},
    supervisor::Supervisor,
    units::{self, System},
    workspace::Workspace,
};
use anyhow::anyhow;
use std::time::{Duration, Instant};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// How long `restart` waits until the started units are ready. A broker takes about 8 s.
const RESTART: Duration = Duration::from_secs(30);

/// What runs.
struct Stack {
    system: System,
    /// The box of addresses.
    addresses: String,
}

/// Starts the stack and runs it until a signal or `stop` ends it.
pub(super) async fn run(
    workspace: &Workspace,
    options: &Up,
    supervisor: &mut Supervisor,
    calls: &mut mpsc::Receiver<Call>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut waiting = Vec::new();
    let started = tokio::select! {
        started = start::start(workspace, options, supervisor) => started.map_err(|error| (None, Err(error))),
        reply = until_shutdown(calls, &mut waiting) => {
            Err((Some(reply), Ok("Stopped while starting; data stay".to_owned())))
        }
        _ = terminate.recv() => Err((None, Err(anyhow!("stopped by a signal while starting")))),
        _ = interrupt.recv() => Err((None, Err(anyhow!("stopped by a signal while starting")))),
    };
    let (reply, outcome) = match started {
        Ok((system, addresses)) => {
            say(&addresses);
            for reply in waiting {
                let _ = reply.send(Ok(addresses.clone()));
            }
            let reply = tokio::select! {
                reply = serve(Stack { system, addresses }, supervisor, calls) => Some(reply),
                _ = terminate.recv() => None,
                _ = interrupt.recv() => None,
            };
            (reply, Ok("Stopped; data stay".to_owned()))
        }
        Err(end) => end,
    };
    output::event("Stopping (Ctrl-C again kills)");
    let stopped = tokio::select! {
        stopped = supervisor.stop_all() => stopped,
        _ = interrupt.recv() => Err(anyhow!("killed")),
    };
    finish(reply, outcome.and_then(|text| stopped.map(|()| text))).await
}

/// Starts again what ends, and responds to commands, until a command stops the stack.
async fn serve(
    mut stack: Stack,
    supervisor: &mut Supervisor,
    calls: &mut mpsc::Receiver<Call>,
) -> Reply {
    loop {
        tokio::select! {
            ended = supervisor.next_end() => {
                if let Some(ended) = ended {
                    supervisor.note_end(&ended);
                }
                supervisor.start_due();
            }
            Some((request, reply)) = calls.recv() => match request {
                Request::Shutdown => return reply,
                request => respond(&mut stack, supervisor, (request, reply)).await,
            }
        }
    }
}

/// Responds to a command of another terminal.
async fn respond(stack: &mut Stack, supervisor: &mut Supervisor, (request, reply): Call) {
    let change = match request {
        Request::Ps => return send(reply, Ok(supervisor.table())),
        Request::Ready | Request::Shutdown => return send(reply, Ok(stack.addresses.clone())),
        Request::Start(names) => supervisor.start_stopped(&names).map(Change::started),
        Request::Stop(names) => supervisor.stop(&names).await.map(Change::stopped),
        Request::Restart(names) => supervisor.restart(&names).await.map(Change::started),
        Request::Scale(scale) => scale::change(&mut stack.system, supervisor, scale).await,
    };
    match change {
        // In a task, so that other commands need not wait until these units are ready.
        Ok(change) => {
            tokio::spawn(respond_when_ready(
                stack.system.workspace.clone(),
                change,
                reply,
            ));
        }
        Err(error) => send(reply, Err(error)),
    }
}

fn send(reply: Reply, response: anyhow::Result<String>) {
    let _ = reply.send(response.map_err(|error| format!("{error:#}")));
}

/// Responds to the commands of other terminals while the stack starts: "ready" waits, all others fail. Returns when
/// the stack has to stop.
async fn until_shutdown(calls: &mut mpsc::Receiver<Call>, waiting: &mut Vec<Reply>) -> Reply {
    loop {
        match calls.recv().await {
            Some((Request::Shutdown, reply)) => return reply,
            Some((Request::Ready, reply)) => waiting.push(reply),
            Some((_, reply)) => {
                let _ = reply.send(Err(
                    "the stack is still starting; try again when it is ready".into(),
                ));
            }
            None => std::future::pending().await,
        }
    }
}

async fn respond_when_ready(workspace: Workspace, change: Change, reply: Reply) {
    let deadline = Instant::now() + RESTART;
    for unit in &change.started {
        let name = &unit.name;
        while !units::is_ready(unit.ready).await {
            if Instant::now() > deadline {
                let last = logs::last_lines(&workspace, name, 5);
                let _ = reply.send(Err(format!(
                    "{name} is started, and not ready after {} s; its last lines:\n{last}\n\
                     try: ./medtrack ps, ./medtrack logs {name}",
                    RESTART.as_secs()
                )));
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    send(reply, Ok(change.to_string()));
}

/// Sends the last response of this process.
async fn finish(reply: Option<Reply>, outcome: anyhow::Result<String>) -> anyhow::Result<()> {
    if let Some(reply) = reply {
        let response = outcome.as_ref().map(String::clone);
        let _ = reply.send(response.map_err(|error| format!("{error:#}")));
        // The response has to reach the other terminal before this process ends.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    outcome.map(drop)
}
