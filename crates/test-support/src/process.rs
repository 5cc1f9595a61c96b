//! A real process of the system: start, signals, log.

use crate::{eventually, servers};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

/// How long a healthy process may take for a start, a line of its log, or for dying by SIGKILL.
const SOON: Duration = Duration::from_secs(15);

/// A running binary of this workspace; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    log: Arc<Mutex<Vec<String>>>,
    /// Reads what it prints, to its end.
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a binary with these arguments and nothing but this environment.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(binary: &str, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let mut child = Command::new(servers::binary(binary))
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            // Away from the checkout, where a developer's `.env` may lie.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{binary} does not start: {error}"));
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw);
        let log = Arc::default();
        let readers = vec![
            collect(child.stdout.take(), &log),
            collect(child.stderr.take(), &log),
        ];
        let name = [binary, &arguments.join(" ")].join(" ");
        Self {
            name,
            child,
            pid: pid.expect("a fresh child has a pid"),
            log,
            readers,
        }
    }

    /// Runs a binary to its end; returns what it printed.
    ///
    /// # Panics
    /// When it fails, or takes longer than 30 s.
    pub async fn run(
        binary: &str,
        arguments: &[&str],
        environment: &[(&str, String)],
    ) -> Vec<String> {
        let mut process = Self::start(binary, arguments, environment);
        let status = process.exit(Duration::from_secs(30)).await;
        assert!(
            status.success(),
            "{} ended with {status}: {:#?}",
            process.name,
            process.log()
        );
        process.log()
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Its resident memory, in MiB (`VmRSS` of proc(5)).
    ///
    /// # Panics
    /// When it has ended.
    pub fn resident_mb(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.expect("a running process has memory") / 1024.0
    }

    /// How often it has touched a page that was not in its memory yet (`minflt` of proc(5)).
    ///
    /// # Panics
    /// When it has ended.
    pub fn page_faults(&self) -> u64 {
        let stat = self.proc("stat");
        // The name, in parentheses, may hold anything; the third field follows.
        let fields = stat
            .rsplit_once(')')
            .map(|(_, fields)| fields.split_whitespace());
        let faults = fields.and_then(|mut fields| fields.nth(10 - 3)?.parse().ok());
        faults.expect("the tenth field is a count")
    }

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.pid);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The lines that it has printed until now.
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    /// How many of its lines contain `text`.
    pub fn count_lines(&self, text: &str) -> usize {
        lock(&self.log)
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }

    /// Waits until it has printed a line that contains `text`.
    ///
    /// # Panics
    /// When it has not after 15 s.
    pub async fn line(&self, text: &str) -> String {
        let what = format!("{} prints {text:?}", self.name);
        eventually(SOON, &what, async || {
            lock(&self.log)
                .iter()
                .find(|line| line.contains(text))
                .cloned()
        })
        .await
    }

    /// Waits until it is ready, by its health check at `internal`.
    ///
    /// # Panics
    /// When it has not after 15 s, or when the process ends.
    pub async fn ready(&mut self, internal: SocketAddr) {
        let what = format!("{} is ready", self.name);
        eventually(SOON, &what, async || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status}: {:#?}", self.name, self.log());
            }
            is_ready(internal).await
        })
        .await;
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is not there any more.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|error| panic!("{} {signal}: {error}", self.name));
    }

    /// Kills it at once, without a chance to finish.
    ///
    /// # Panics
    /// When it is not there any more.
    pub async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.exit(SOON).await;
    }

    /// Asks it to stop; returns its exit status.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub async fn stop(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.exit(limit).await
    }

    /// Waits for its end, and until all that it printed has been read.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub async fn exit(&mut self, limit: Duration) -> ExitStatus {
        let Ok(status) = timeout(limit, self.child.wait()).await else {
            panic!(
                "{} has not ended within {limit:?}: {:#?}",
                self.name,
                self.log()
            );
        };
        for reader in self.readers.drain(..) {
            let _ = timeout(SOON, reader).await;
        }
        status.expect("a child can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(40);
            #[expect(clippy::print_stderr, reason = "what a failed test leaves to look at")]
            {
                eprintln!(
                    "--- the last lines of {} ---\n{}",
                    self.name,
                    log[tail..].join("\n")
                );
            }
        }
    }
}

/// Whether the process with this internal address says that it is ready.
pub async fn is_ready(internal: SocketAddr) -> bool {
    let response = reqwest::get(format!("http://{internal}/health/ready")).await;
    response.is_ok_and(|response| response.status().is_success())
}

fn collect(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    log: &Arc<Mutex<Vec<String>>>,
) -> JoinHandle<()> {
    let stream = stream.expect("both streams are piped");
    let log = log.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            lock(&log).push(line);
        }
    })
}

fn lock(log: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
