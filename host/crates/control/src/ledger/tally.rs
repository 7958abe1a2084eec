//! What of a Space's time is not written down yet. Kept by its supervisor, read by whoever writes.

use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::Millis;

/// Ended spans that are kept while the database takes no writes: a Space that crashes and starts all day has fewer. Beyond,
/// the oldest are given away.
const MAX_ENDED: usize = 1000;

/// A stay on a flavor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) owner: AccountId,
    pub(super) flavor: String,
    pub(super) from: Millis,
    /// Its end; of one that goes on, the moment of the reading.
    pub(super) to: Millis,
}

/// What is not written down yet.
#[derive(Default)]
pub(crate) struct Tally {
    /// Everything before it is written.
    written_to: Millis,
    /// Whose, on what and since when, while it goes on.
    open: Option<(AccountId, String, Millis)>,
    ended: Vec<Span>,
    /// The reading of the Space's fuel that is written.
    fuel: u64,
}

impl Tally {
    /// Notes how it is from now on: whose stay on which flavor, or none that is paid for.
    pub(crate) fn turn(&mut self, now: Millis, stay: Option<(AccountId, &str)>) {
        let goes_on = match (&self.open, stay) {
            (Some((owner, flavor, _)), Some((next, on))) => *owner == next && flavor == on,
            (None, None) => true,
            _ => false,
        };
        if goes_on {
            return;
        }
        if let Some((owner, flavor, from)) = self.open.take() {
            self.ended.push(Span { owner, flavor, from, to: now });
            let surplus = self.ended.len().saturating_sub(MAX_ENDED);
            self.ended.drain(..surplus);
        }
        self.open = stay.map(|(owner, flavor)| (owner, flavor.to_owned(), now));
    }

    /// What is to be written up to now, and the reading of the fuel that was.
    pub(super) fn due(&self, now: Millis) -> (Vec<Span>, u64) {
        let open = self.open.iter().map(|(owner, flavor, from)| Span {
            owner: *owner,
            flavor: flavor.clone(),
            from: *from,
            to: now,
        });
        let unwritten = |span: Span| Span { from: span.from.max(self.written_to), ..span };
        let spans = self.ended.iter().cloned().chain(open).map(unwritten).filter(|span| span.from < span.to);
        (spans.collect(), self.fuel)
    }

    /// Everything up to this moment, and this reading of the fuel, is written.
    pub(super) fn settle(&mut self, to: Millis, fuel: u64) {
        self.written_to = to;
        self.fuel = fuel;
        self.ended.retain(|span| span.to > to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: AccountId = AccountId::from_bytes([1; 12]);
    const BOB: AccountId = AccountId::from_bytes([2; 12]);

    fn due(tally: &Tally, now: Millis) -> Vec<(AccountId, String, Millis, Millis)> {
        tally.due(now).0.into_iter().map(|span| (span.owner, span.flavor, span.from, span.to)).collect()
    }

    #[test]
    fn every_moment_of_a_stay_is_due_once() {
        let mut tally = Tally::default();
        tally.turn(10, Some((ADA, "a")));
        tally.turn(20, Some((ADA, "a")));
        assert_eq!(due(&tally, 30), [(ADA, "a".into(), 10, 30)]);
        assert_eq!(due(&tally, 30), [(ADA, "a".into(), 10, 30)], "until it is written");
        tally.settle(30, 5);
        assert_eq!(due(&tally, 30), []);
        tally.turn(40, Some((ADA, "b")));
        tally.turn(50, Some((BOB, "b")));
        tally.turn(60, None);
        let spans = [(ADA, "a".into(), 30, 40), (ADA, "b".into(), 40, 50), (BOB, "b".into(), 50, 60)];
        assert_eq!(due(&tally, 70), spans);
        tally.settle(45, 5);
        assert_eq!(due(&tally, 70), [(ADA, "b".into(), 45, 50), (BOB, "b".into(), 50, 60)]);
        tally.settle(70, 5);
        assert_eq!((due(&tally, 80), tally.ended.len()), (vec![], 0));
    }

    #[test]
    fn stays_that_cannot_be_written_take_bounded_room() {
        let mut tally = Tally::default();
        for at in 0..2 * MAX_ENDED as u64 {
            tally.turn(at * 2, Some((ADA, "a")));
            tally.turn(at * 2 + 1, None);
        }
        assert_eq!(tally.ended.len(), MAX_ENDED);
    }
}
