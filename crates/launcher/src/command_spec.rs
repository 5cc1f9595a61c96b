//! A program to run as a child, described before it starts.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, process::Stdio};
use tokio::process::{Child, Command};

/// The signal that stops a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT, which is PostgreSQL's fast shutdown.
    Int,
}

impl StopSignal {
    pub(crate) fn signal(self) -> nix::sys::signal::Signal {
        match self {
            StopSignal::Term => nix::sys::signal::Signal::SIGTERM,
            StopSignal::Int => nix::sys::signal::Signal::SIGINT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            StopSignal::Term => "TERM",
            StopSignal::Int => "INT",
        }
    }
}

/// A command line with its environment.
#[derive(Clone, Debug)]
pub(crate) struct CommandSpec {
    words: Vec<OsString>,
    outer: Vec<OsString>,
    environment: BTreeMap<String, OsString>,
    inherit: bool,
    dir: Option<PathBuf>,
    pub(crate) stop_signal: StopSignal,
    kill_with_parent: bool,
}

impl CommandSpec {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self {
            words: vec![program.into()],
            outer: Vec::new(),
            environment: BTreeMap::new(),
            inherit: true,
            dir: None,
            stop_signal: StopSignal::Term,
            kill_with_parent: false,
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.words.push(argument.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        self.words.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Runs the program by another one, such as `unshare … --`.
    pub(crate) fn inside(mut self, outer: &[&str]) -> Self {
        self.outer = outer.iter().map(Into::into).collect();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Passes nothing of this process's environment on but the search path.
    pub(crate) fn clean(mut self) -> Self {
        self.inherit = false;
        self
    }

    pub(crate) fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    pub(crate) fn stop_signal(mut self, stop_signal: StopSignal) -> Self {
        self.stop_signal = stop_signal;
        self
    }

    /// Makes the kernel kill the program when this process dies. Its output then has no reader, so the kernel does not
    /// ask it to stop first.
    pub(crate) fn kill_with_parent(mut self) -> Self {
        self.kill_with_parent = true;
        self
    }

    /// The command without a parent-death signal.
    pub(crate) fn command(&self) -> Command {
        self.command_of(self.outer.iter().chain(&self.words))
    }

    /// The command as a child that the kernel signals when this process dies, for any reason.
    pub(crate) fn with_parent_death_signal(&self) -> Command {
        // Innermost, because a change of user clears the signal in the kernel.
        let signal = if self.kill_with_parent {
            "KILL"
        } else {
            self.stop_signal.name()
        };
        let guard = ["setpriv", "--pdeathsig", signal, "--"].map(OsString::from);
        self.command_of(self.outer.iter().chain(&guard).chain(&self.words))
    }

    fn command_of<'a>(&self, mut words: impl Iterator<Item = &'a OsString>) -> Command {
        let mut command =
            Command::new(words.next().expect("the program itself is among the words"));
        command.args(words);
        if !self.inherit {
            command.env_clear();
            command.env(
                "PATH",
                std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into()),
            );
        }
        command.envs(&self.environment);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Starts the program with a parent-death signal, in a process group of its own, which Ctrl-C in the terminal does not
    /// reach.
    pub(crate) fn spawn(&self, output: Stdio, errors: Stdio) -> std::io::Result<Child> {
        self.with_parent_death_signal()
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
    }
}
