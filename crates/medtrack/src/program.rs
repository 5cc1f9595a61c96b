//! A program to be run as a child, described before it is started.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, process::Stdio};
use tokio::process::{Child, Command};

/// How a child is told that it should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// SIGTERM.
    Term,
    /// SIGINT, which is PostgreSQL's fast shutdown.
    Int,
}

impl Farewell {
    pub(crate) fn signal(self) -> nix::sys::signal::Signal {
        match self {
            Farewell::Term => nix::sys::signal::Signal::SIGTERM,
            Farewell::Int => nix::sys::signal::Signal::SIGINT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Farewell::Term => "TERM",
            Farewell::Int => "INT",
        }
    }
}

/// A command line with its environment.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    words: Vec<OsString>,
    outer: Vec<OsString>,
    environment: BTreeMap<String, OsString>,
    inherit: bool,
    folder: Option<PathBuf>,
    pub(crate) farewell: Farewell,
    expendable: bool,
}

impl Program {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self {
            words: vec![program.into()],
            outer: Vec::new(),
            environment: BTreeMap::new(),
            inherit: true,
            folder: None,
            farewell: Farewell::Term,
            expendable: false,
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.words.push(argument.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.words.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Runs inside another program, such as `unshare … --`.
    pub(crate) fn inside(mut self, outer: &[&str]) -> Self {
        self.outer = outer.iter().map(Into::into).collect();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Starts with nothing of our environment but the search path.
    pub(crate) fn clean(mut self) -> Self {
        self.inherit = false;
        self
    }

    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    pub(crate) fn farewell(mut self, farewell: Farewell) -> Self {
        self.farewell = farewell;
        self
    }

    /// Killed when this process dies: its log goes nowhere then, and whether it can still end well is its own affair.
    pub(crate) fn expendable(mut self) -> Self {
        self.expendable = true;
        self
    }

    /// The command as it is.
    pub(crate) fn command(&self) -> Command {
        self.command_of(self.outer.iter().chain(&self.words))
    }

    /// The command as a child that is told when this process dies, whatever it dies of.
    pub(crate) fn guarded(&self) -> Command {
        // Innermost: a change of user makes the kernel forget it.
        let signal = if self.expendable { "KILL" } else { self.farewell.name() };
        let guard = ["setpriv", "--pdeathsig", signal, "--"].map(OsString::from);
        self.command_of(self.outer.iter().chain(&guard).chain(&self.words))
    }

    fn command_of<'a>(&self, mut words: impl Iterator<Item = &'a OsString>) -> Command {
        let mut command = Command::new(words.next().expect("the program itself is among the words"));
        command.args(words);
        if !self.inherit {
            command.env_clear();
            command.env(
                "PATH",
                std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into()),
            );
        }
        command.envs(&self.environment);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Starts it guarded, and so that a Ctrl-C in the terminal does not reach it.
    pub(crate) fn spawn(&self, output: Stdio, errors: Stdio) -> std::io::Result<Child> {
        self.guarded().stdout(output).stderr(errors).process_group(0).spawn()
    }
}
