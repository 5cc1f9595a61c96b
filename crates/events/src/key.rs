//! Routing keys, and the topic patterns that select them.

/// Whether `key` is one that our producers may use: two or three lower-case words, `[service.]resource.action`.
pub fn is_well_formed(key: &str) -> bool {
    let mut words = 0;
    let well_formed = key.split('.').all(|word| {
        words += 1;
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    });
    well_formed && (2..=3).contains(&words) && key.len() <= 255
}

/// Whether a topic `pattern` selects `key`, by RabbitMQ's rules: `*` stands for exactly one word, `#` for
/// any number of words, none included.
pub fn matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let key: Vec<&str> = key.split('.').collect();
    matches_words(&pattern, &key)
}

fn matches_words(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), _) => {
            matches_words(rest, key)
                || key
                    .split_first()
                    .is_some_and(|(_, key)| matches_words(pattern, key))
        }
        (Some((&word, rest)), Some((first, key))) => {
            (word == "*" || word == *first) && matches_words(rest, key)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_is_one_word_and_hash_any_number() {
        assert!(matches("student.*", "student.created"));
        assert!(!matches("student.*", "student.a.b"));
        assert!(!matches("student.*", "student"));
        assert!(!matches("student.*", "auth.user.created"));
        assert!(matches("auth.user.*", "auth.user.created"));
        assert!(matches("auth.#", "auth"));
        assert!(matches("auth.#", "auth.user.created"));
        assert!(matches("#.created", "auth.user.created"));
        assert!(!matches("#.created", "auth.user.deleted"));
        assert!(matches("#", ""));
    }

    #[test]
    fn keys_are_two_or_three_lower_case_words() {
        assert!(is_well_formed("student.created"));
        assert!(is_well_formed("auth.user.role_changed"));
        for bad in [
            "student",
            "Student.created",
            "student..created",
            "a.b.c.d",
            "student.",
            "étudiant.créé",
            "",
        ] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
