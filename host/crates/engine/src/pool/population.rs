//! How many instances a Space has, and who may leave.

use parking_lot::Mutex;

/// Counts a Space's instances. Of those that idle too long all but one leave; the last is kept warm.
#[derive(Debug, Default)]
pub(crate) struct Population(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    live: usize,
    leaving: usize,
}

impl Population {
    /// Instances that are there.
    pub(crate) fn live(&self) -> usize {
        self.0.lock().live
    }

    /// An instance comes, if there are fewer than `most`.
    pub(crate) fn enter(&self, most: usize) -> bool {
        let mut count = self.0.lock();
        let has_room = count.live < most;
        count.live += usize::from(has_room);
        has_room
    }

    /// An instance went; `spare` if it was released before.
    pub(crate) fn exit(&self, spare: bool) {
        let mut count = self.0.lock();
        count.live -= 1;
        count.leaving -= usize::from(spare);
    }

    /// Whether one more may leave so that another stays.
    pub(crate) fn release_spare(&self) -> bool {
        let mut count = self.0.lock();
        let others_stay = count.live - count.leaving > 1;
        count.leaving += usize::from(others_stay);
        others_stay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_one_may_leave() {
        let population = Population::default();
        (0..3).for_each(|_| assert!(population.enter(3)));
        assert!(!population.enter(3));
        assert!(population.release_spare());
        assert!(population.release_spare());
        assert!(!population.release_spare());
        population.exit(true);
        population.exit(true);
        assert_eq!(population.live(), 1);
        assert!(!population.release_spare());
    }
}
