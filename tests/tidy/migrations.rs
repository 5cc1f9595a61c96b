//! A new migration runs while the services of the version before work, on tables of any size.

use crate::source::{assert_none, sources};

/// The last migrations that were made before this rule. They are applied everywhere, so they cannot change any more.
const BEFORE: [(&str, u32); 4] = [("messaging", 5), ("auth", 7), ("comm", 3), ("profile", 4)];

/// The tables that grow with the users or with the events.
const LARGE: [&str; 10] = [
    "outbox",
    "inbox",
    "users_user",
    "users_session",
    "profiles_student",
    "profiles_encadrant",
    "profiles_account",
    "communications_inbox",
    "communications_notification",
    "communications_recipient",
];

/// Stands in the comment straight above a statement that the rule refuses, and is followed by the reason why it is safe.
const MARK: &str = "-- safe: ";

/// The statements of a script in lower case, without comments, each with the comment straight above it.
fn statements(script: &str) -> Vec<(String, String)> {
    let mut statements = Vec::new();
    let (mut comment, mut statement) = (String::new(), String::new());
    for line in script.lines() {
        let (code, remark) = line.split_once("--").unwrap_or((line, ""));
        if code.trim().is_empty() && statement.trim().is_empty() {
            // A blank line parts a comment from what follows.
            if line.trim().is_empty() {
                comment.clear();
            } else {
                comment += &format!("--{remark}\n");
            }
            continue;
        }
        statement += &format!("{code}\n");
        if code.trim_end().ends_with(';') {
            let words = statement.to_lowercase();
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            statements.push((words, std::mem::take(&mut comment)));
            statement.clear();
        }
    }
    statements
}

/// Why a statement is refused.
fn refusal(statement: &str) -> Option<&'static str> {
    let words: Vec<&str> = statement
        .split([' ', '(', ';', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let large = |word: Option<&&str>| word.is_some_and(|word| LARGE.contains(word));
    let has = |text: &str| statement.contains(text);
    match words[..] {
        ["update", ..] if large(words.get(1)) => Some("it writes every row"),
        ["delete", "from", ..] if large(words.get(2)) => Some("it writes every row"),
        ["create", ..] if has(" index ") && !has(" concurrently ") => {
            let table = words.iter().skip_while(|word| **word != "on").nth(1);
            large(table).then_some("no session can write while the index is made")
        }
        ["alter", "table", ..] if large(words.get(2)) => {
            let reads_all = [" check ", " check(", " references ", " foreign key"];
            if reads_all.iter().any(|text| has(text)) && !has("not valid") {
                Some("it reads every row, and no session can use the table meanwhile")
            } else if has(" set not null") || has(" type ") || has(" primary key") || has(" stored")
            {
                Some("it reads or writes every row, and no session can use the table meanwhile")
            } else {
                None
            }
        }
        _ => None,
    }
}

/// The number of a new migration: `migrations/auth/0008_x.sql`.
fn is_new(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let (dir, file) = (parts.next(), parts.next().unwrap_or_default());
    let last = BEFORE
        .iter()
        .find(|(name, _)| Some(*name) == dir)
        .map_or(0, |(_, last)| *last);
    let number: u32 = file
        .split('_')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{path} begins with no number"));
    number > last
}

fn refused(script: &str) -> Vec<String> {
    let refused = statements(script)
        .into_iter()
        .filter(|(_, comment)| !comment.contains(MARK))
        .filter_map(|(statement, _)| Some(format!("{}: {statement}", refusal(&statement)?)));
    refused.collect()
}

#[test]
fn a_new_migration_does_not_hold_up_the_services() {
    let mut broken = Vec::new();
    for file in sources(&["migrations"], ".sql") {
        if !is_new(&file.path) {
            continue;
        }
        broken.extend(
            refused(&file.text)
                .into_iter()
                .map(|reason| format!("{}: {reason}", file.path)),
        );
        let alone = file.text.starts_with("-- no-transaction\n");
        if file.text.contains(" concurrently ") && !(alone && statements(&file.text).len() == 1) {
            broken.push(format!(
                "{}: `concurrently` needs `-- no-transaction` as its first line, and a file for each statement",
                file.path
            ));
        }
    }
    assert_none(
        broken,
        "see \"Changing a table\" in CONTRIBUTING.md, or say above the statement why it is safe, as `-- safe: …`",
    );
}

#[test]
fn the_rule_finds_what_holds_up_a_large_table() {
    for bad in [
        "update outbox set envelope = null\n  where published_at is not null;",
        "Delete From inbox;",
        "create unique index x on users_user (lower(email));",
        "alter table outbox add constraint c check (a is not null);",
        "alter table users_session add column x uuid references users_user;",
        "alter table users_user alter column phone set not null;",
        "alter table users_user alter column phone type varchar;",
        "alter table users_user add column name text generated always as (lower(email)) stored;",
        "-- safe: it is not, a blank line is between\n\nupdate outbox set a = 1;",
    ] {
        assert_eq!(refused(bad).len(), 1, "{bad}");
    }
    for good in [
        "alter table outbox add column refused_at timestamptz, add column erased_at timestamptz;",
        "-- no-transaction\ncreate index concurrently x on outbox (aggregate_id);",
        "alter table outbox add constraint c check (a is not null) not valid;",
        "update users_login_address set failures = 0;",
        "create table x (id uuid references users_user);",
        "-- safe: ten rows at most\nupdate outbox set a = 1 where b; -- why",
        "comment on column outbox.envelope is 'update outbox set';",
    ] {
        assert_eq!(refused(good), Vec::<String>::new(), "{good}");
    }
    assert!(is_new("migrations/auth/0008_x.sql") && !is_new("migrations/auth/0007_operator.sql"));
}
