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
    environment: BTreeMap<String, OsString>,
    inherit: bool,
    folder: Option<PathBuf>,
    pub(crate) farewell: Farewell,
}

impl Program {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        let words = vec![program.into()];
        Self { words, environment: BTreeMap::new(), inherit: true, folder: None, farewell: Farewell::Term }
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
        let mut words: Vec<OsString> = outer.iter().map(Into::into).collect();
        words.append(&mut self.words);
        self.words = words;
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

    /// The command as it is.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
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

    /// Starts it as a child that is told when this process dies, whatever it dies of, and that a Ctrl-C in the
    /// terminal does not reach.
    pub(crate) fn spawn(&self, output: Stdio, errors: Stdio) -> std::io::Result<Child> {
        let words = std::iter::once("setpriv".into())
            .chain(["--pdeathsig", self.farewell.name(), "--"].map(OsString::from))
            .chain(self.words.iter().cloned());
        let guarded = Program { words: words.collect(), ..self.clone() };
        guarded.command().stdout(output).stderr(errors).process_group(0).spawn()
    }
}
