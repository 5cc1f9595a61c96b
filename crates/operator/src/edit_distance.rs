//! How much two names differ.

use std::mem;

/// How many letters must be inserted, deleted, changed or exchanged with their neighbour. `None`: more than `limit`.
pub(crate) fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let (mut before, mut last) = (Vec::new(), (0..=b.len()).collect::<Vec<_>>());
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                let exchange: usize = before[j - 2];
                row[j] = row[j].min(exchange + 1);
            }
        }
        if row.iter().all(|distance| *distance > limit) {
            return None;
        }
        before = mem::replace(&mut last, row);
    }
    let distance = last[b.len()];
    (distance <= limit).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_what_a_hand_gets_wrong() {
        let between = |a: &str, b: &str, limit| {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            distance(&letters(a), &letters(b), limit)
        };
        assert_eq!(between("john", "john", 2), Some(0));
        assert_eq!(between("jhon", "john", 2), Some(1));
        assert_eq!(between("jon", "john", 2), Some(1));
        assert_eq!(between("johnn@x.org", "john@y.org", 2), Some(2));
        assert_eq!(between("johnn@x.org", "john@y.org", 1), None);
        assert_eq!(between("", "abc", 2), None);
        assert_eq!(between("nobody", "john", 3), None);
    }
}
