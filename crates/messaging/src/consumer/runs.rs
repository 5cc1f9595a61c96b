//! The order in which the events of a batch are handled.

use std::collections::HashMap;
use uuid::Uuid;

/// Divides a batch into runs that one call may handle: events of one kind, with no aggregate twice. Two versions of
/// one row in one statement would lose one of them, or fail.
///
/// Each event joins the first run of its kind that comes after the events of its aggregate: the events of an aggregate
/// keep their order, and a batch of alternating kinds needs one call for each kind.
pub(super) fn runs<T: Copy>(
    events: &[T],
    kind_and_aggregate: impl Fn(T) -> (usize, Uuid),
) -> Vec<Vec<T>> {
    let mut runs: Vec<(usize, Vec<T>)> = Vec::new();
    let mut next_run: HashMap<Uuid, usize> = HashMap::with_capacity(events.len());
    for event in events {
        let (kind, aggregate) = kind_and_aggregate(*event);
        let next = next_run.entry(aggregate).or_default();
        let later = runs.iter().skip(*next).position(|run| run.0 == kind);
        let run = later.map_or(runs.len(), |after| *next + after);
        if run == runs.len() {
            runs.push((kind, Vec::new()));
        }
        runs[run].1.push(*event);
        *next = run + 1;
    }
    runs.into_iter().map(|(_, events)| events).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event: its kind, its aggregate, and its place in the order of arrival.
    type Event = (usize, u128, usize);

    fn runs_of(events: &[(usize, u128)]) -> Vec<Vec<Event>> {
        let events: Vec<Event> = events
            .iter()
            .enumerate()
            .map(|(place, (kind, aggregate))| (*kind, *aggregate, place))
            .collect();
        runs(&events, |(kind, aggregate, _)| {
            (kind, Uuid::from_u128(aggregate))
        })
    }

    #[test]
    fn alternating_kinds_about_different_aggregates_make_one_run_each() {
        let events: Vec<_> = (0..256).map(|i| (i % 2, i as u128)).collect();
        let runs = runs_of(&events);
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().all(|run| run.len() == 128));
    }

    #[test]
    fn an_aggregate_is_never_twice_in_a_run_and_keeps_its_order() {
        let mut random = numbers(7);
        for _ in 0..200 {
            let events: Vec<_> = (0..64).map(|_| (random(3), random(9) as u128)).collect();
            let runs = runs_of(&events);
            let handled: Vec<Event> = runs.iter().flatten().copied().collect();
            assert_eq!(handled.len(), events.len());
            for aggregate in 0..9 {
                let places: Vec<_> = handled
                    .iter()
                    .filter(|event| event.1 == aggregate)
                    .map(|event| event.2)
                    .collect();
                assert!(places.is_sorted(), "{events:?}");
            }
            for run in runs {
                let mut aggregates: Vec<_> = run.iter().map(|event| event.1).collect();
                aggregates.sort_unstable();
                aggregates.dedup();
                assert_eq!(aggregates.len(), run.len());
                assert!(run.iter().all(|event| event.0 == run[0].0));
            }
        }
    }

    /// Numbers below a bound that are the same at each run (xorshift).
    fn numbers(seed: u64) -> impl FnMut(u64) -> usize {
        let mut state = seed;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below) as usize
        }
    }
}
