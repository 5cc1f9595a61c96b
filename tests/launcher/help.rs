//! The help, the completions and the exit code of a wrong command line, through the shim.

use crate::home::Home;

const WIDTH: usize = 80;

#[tokio::test]
async fn the_help_and_the_completions_know_the_commands_of_both_programs() {
    let home = Home::new();
    let help = home.medtrack("--help").await;
    for group in [
        "\nRun:\n  up",
        "\nLook:\n  doctor",
        "\nRepair:\n  dead",
        "\nDevelop:\n  test",
    ] {
        assert!(help.contains(group), "{group} in {help}");
    }
    assert!(
        !help.contains("Others:"),
        "each command has a group: {help}"
    );
    assert!(
        help.lines().all(|line| line.chars().count() <= WIDTH),
        "{help}"
    );
    let of_operator = home.medtrack("help dead list").await;
    assert!(of_operator.contains("medtrack dead list"), "{of_operator}");

    let completed = home
        .shell(
            r#"./medtrack completions bash > completions
            . ./completions
            complete_words() {
                COMP_WORDS=(medtrack "$@"); COMP_CWORD=$#; COMPREPLY=()
                _medtrack medtrack "${!#}" "${@: -2:1}" || true
                echo "${COMPREPLY[@]}"
            }
            complete_words re
            complete_words doctor --
            complete_words logs --"#,
        )
        .await;
    let mut lines = completed.lines();
    let mut expect = |words: &[&str]| {
        let line = lines.next().unwrap_or_default();
        let has = |word: &&str| line.split(' ').any(|one| one == *word);
        assert!(words.iter().all(has), "{words:?} in {completed}");
    };
    expect(&["restart", "reset", "reconcile"]);
    expect(&["--quiet", "--json"]);
    expect(&["--follow", "--level"]);
}

#[tokio::test]
async fn a_wrong_command_line_has_an_exit_code_of_its_own() {
    let home = Home::new();
    for (arguments, code) in [
        ("up --bogus", 64),
        ("restart", 64),
        ("up --scale comm-consumer=0", 64),
        ("docter", 64),
        ("help docter", 64),
        ("doctor --bogus", 64),
        ("help", 0),
        ("up --help", 0),
        ("doctor --help", 0),
    ] {
        let script = format!("code=0; ./medtrack {arguments} || code=$?; echo code $code");
        let text = home.shell(&script).await;
        assert!(
            text.contains(&format!("code {code}\n")),
            "{arguments}: {text}"
        );
    }

    for (typed, tip) in [
        ("stauts", "'status'"),
        ("reconcil", "'reconcile'"),
        ("logz", "'logs'"),
    ] {
        let text = home.shell(&format!("! ./medtrack {typed}")).await;
        assert!(
            text.contains("similar subcommand") && text.contains(tip),
            "{text}"
        );
    }
}
