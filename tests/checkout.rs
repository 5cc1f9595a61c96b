//! The command `./medtrack` in a checkout, without a running stack: one build, help, errors.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
};
use test_support::servers;
use tokio::process::Command;
use uuid::Uuid;

/// A directory that is removed at the end of the test.
struct Dir {
    path: PathBuf,
}

impl Dir {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("mt-{}", Uuid::new_v4().simple()));
        fs::create_dir(&path).expect("a new directory can be made");
        Self { path }
    }

    /// `./medtrack`, with programs that are built already and a state directory of its own.
    fn medtrack(&self) -> Command {
        let launcher = servers::binary("launcher");
        let mut command = Command::new(root().join("medtrack"));
        command
            .current_dir(&self.path)
            .env("MEDTRACK_HOME", self.path.join(".medtrack"))
            .env(
                "MEDTRACK_BIN_DIR",
                launcher.parent().expect("a program lies in a directory"),
            )
            .kill_on_drop(true);
        command
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("the package lies in the repository")
        .to_owned()
}

fn text(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!("{stdout}{}", String::from_utf8_lossy(&output.stderr))
}

/// Where a service does not compile, the verbs that need no service go on with the launcher; the others name a next step.
#[tokio::test]
async fn a_failed_build_stops_only_the_verbs_that_need_it() {
    let home = Dir::new();
    let program = |path: &str, script: &str| {
        let path = home.path.join(path);
        fs::create_dir_all(path.parent().expect("it has a directory")).expect("it can be made");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    program("bin/cargo", "echo compiling: $* >&2; exit 101");
    program("target/release/launcher", "echo launcher: $*");
    program("target/release/medtrack", "echo operator: $*");
    let run = async |verb: &str| {
        let path = format!("{}:/usr/bin:/bin", home.path.join("bin").display());
        let mut command = home.medtrack();
        command
            .arg(verb)
            .env("PATH", path)
            .env_remove("MEDTRACK_BIN_DIR");
        let command = command.env("CARGO_TARGET_DIR", home.path.join("target"));
        command.output().await.expect("there is a shell")
    };
    for verb in ["prepare", "ps", "logs", "stop", "restart", "reset"] {
        let output = run(verb).await;
        assert!(output.status.success(), "{verb}: {}", text(&output));
        assert!(
            text(&output).contains(&format!("launcher: {verb}")),
            "{verb}: {}",
            text(&output)
        );
    }
    for verb in ["up", "test", "doctor"] {
        let output = run(verb).await;
        assert!(!output.status.success(), "{verb}");
        assert!(
            text(&output).contains("try: ./medtrack prepare"),
            "{verb}: {}",
            text(&output)
        );
    }
    // One build, which the tests and the bench share.
    let output = text(&run("up").await);
    assert_eq!(output.matches("compiling: ").count(), 1, "{output}");
    assert!(
        output.contains("build --release --locked --workspace --bins --keep-going"),
        "{output}"
    );
}

/// Cargo compiles a package again where its features differ. The tests and the bench use those of the binaries.
#[tokio::test]
async fn the_tests_enable_no_feature_of_the_binaries() {
    let packages = async |edges: &str| -> BTreeSet<String> {
        let mut cargo = Command::new("cargo");
        cargo.args([
            "tree",
            "--locked",
            "--workspace",
            "--prefix",
            "none",
            "--no-dedupe",
        ]);
        cargo
            .args(["--edges", edges, "--format", "{p} {f}"])
            .current_dir(root());
        let output = cargo.output().await.expect("there is a cargo");
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let (binaries, all) = (
        packages("normal,build").await,
        packages("normal,build,dev").await,
    );
    assert!(binaries.len() > 100);
    let different: Vec<_> = binaries.difference(&all).collect();
    assert!(
        different.is_empty(),
        "the tests add features; name them in crates/test-support/Cargo.toml: {different:?}"
    );
}

#[tokio::test]
async fn errors_end_in_a_next_step() {
    let home = Dir::new();
    for (arguments, next) in [
        ("ps", "try: ./medtrack up"),
        ("logs", "try: ./medtrack up"),
        ("restart x", "try: ./medtrack up"),
    ] {
        let output = home.medtrack().args(arguments.split(' ')).output().await;
        let output = output.expect("the launcher runs");
        assert!(
            !output.status.success() && text(&output).contains(next),
            "{arguments}: {}",
            text(&output)
        );
    }
}

/// Some commands of the README take too long, or cannot run here; they exist at least.
#[tokio::test]
async fn every_command_of_the_readme_exists() {
    let home = Dir::new();
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README");
    let mut commands = 0;
    for command in readme.split("./medtrack ").skip(1) {
        let command = command
            .split(['`', '\n', '#', '|'])
            .next()
            .unwrap_or_default();
        let words = command.split_whitespace();
        let is_word = |word: &&str| {
            !word.starts_with('-') && word.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
        };
        let is_help = words.clone().next() == Some("help");
        let output = home
            .medtrack()
            .args(words.clone().take_while(is_word))
            .args((!is_help).then_some("--help"))
            .output()
            .await;
        let output = output.expect("there is a shell");
        let help = text(&output);
        assert!(output.status.success(), "{command}: {help}");
        for option in words.filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{command}: {option}");
        }
        commands += 1;
    }
    assert!(commands > 10);
}
