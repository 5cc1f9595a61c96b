//! Passwords that many people have chosen, as OWASP ASVS 5.0 §6.2.4 asks: more than 3,000 that are long enough, also where
//! 15 characters are demanded. `zxcvbn` knows more of them, but few that are so long.

use std::{collections::HashSet, sync::LazyLock};

static POPULAR: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("popular.txt")
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect()
});

/// Whether many people have chosen this password, in whatever case.
pub(super) fn is_popular(password: &str) -> bool {
    POPULAR.contains(password.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Password;

    #[test]
    fn three_thousand_common_passwords_are_refused_at_either_minimum() {
        for min_length in [12, 15] {
            let long_enough = |password: &&&str| password.len() >= min_length;
            let refused = POPULAR.iter().filter(long_enough);
            assert!(refused.count() >= 3_000, "{min_length}");
        }
        for password in [
            "manchesterunited",
            "MyChemicalRomance",
            "1qaz2wsx3edc",
            "jesuslovesme",
        ] {
            assert!(is_popular(password), "{password}");
            assert!(Password::chosen(password, &[]).is_err(), "{password}");
        }
        assert!(!is_popular("SecurePass123!"));
    }
}
