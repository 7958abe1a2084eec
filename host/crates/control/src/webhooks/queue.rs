//! What waits for one webhook, and what became of the rest. Bounded in every direction.

use std::collections::VecDeque;

use spaceport_core::lifecycle::Millis;
use spaceport_db::WebhookMessage;

use super::{Delivery, Outcome};

/// Messages that wait for one webhook: half an hour of a busy Space.
const MAX_WAITING: usize = 100;
/// Their bytes: a hundred ordinary ones, or the longest comments one after the other.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// Messages to one webhook in a day, as on the Hub.
const MAX_IN_A_DAY: u32 = 1000;
/// A day.
const DAY: Millis = 24 * 60 * 60 * 1000;
/// Deliveries that are remembered for each webhook.
const MAX_LOGGED: usize = 20;

/// The messages of one webhook.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<Message>,
    /// Somebody works on it.
    pub(super) is_busy: bool,
    /// Deliveries that failed one after the other.
    pub(super) failures: u32,
    pub(super) log: VecDeque<Delivery>,
    /// When the day that is counted began, and the messages since.
    day: (Millis, u32),
    /// The number of the last message.
    pub(super) next: u64,
}

/// A message that waits.
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) stored: WebhookMessage,
}

impl Message {
    /// How it stands, as long as it waits.
    pub(super) fn delivery(&self) -> Delivery {
        let WebhookMessage { id, at, event, space, tries, error, .. } = &self.stored;
        Delivery {
            id: *id,
            number: self.number,
            at: *at,
            event: event.clone(),
            space: space.clone(),
            tries: *tries as usize,
            outcome: Outcome::Waiting(error.clone()),
        }
    }
}

impl Queue {
    /// Whether there is room for another message of so many bytes, now.
    pub(super) fn admit(&mut self, now: Millis, bytes: usize) -> Result<(), String> {
        if now.saturating_sub(self.day.0) >= DAY {
            self.day = (now, 0);
        }
        if self.day.1 >= MAX_IN_A_DAY {
            return Err(format!("not sent: a webhook is told at most {MAX_IN_A_DAY} times in a day"));
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(format!("not sent: {MAX_WAITING} messages wait already"));
        }
        let waiting: usize = self.waiting.iter().map(|message| message.stored.body.len()).sum();
        if waiting > 0 && waiting + bytes > MAX_WAITING_BYTES {
            return Err(format!("not sent: {} KiB wait already", waiting >> 10));
        }
        self.day.1 += 1;
        Ok(())
    }

    /// Writes down how a delivery stands.
    pub(super) fn record(&mut self, delivery: Delivery) {
        match self.log.iter_mut().find(|logged| logged.number == delivery.number) {
            Some(logged) => *logged = delivery,
            None => {
                if self.log.len() >= MAX_LOGGED {
                    self.log.pop_front();
                }
                self.log.push_back(delivery);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use spaceport_core::id::DeliveryId;

    use super::*;

    fn message(number: u64, bytes: usize) -> Message {
        let stored = WebhookMessage {
            id: DeliveryId::from_bytes([1; 12]),
            at: 1,
            event: "repo create".into(),
            space: "ada/page".parse().unwrap(),
            tries: 0,
            due_at: 1,
            error: None,
            body: "x".repeat(bytes),
        };
        Message { number, stored }
    }

    #[test]
    fn a_queue_is_bounded_and_so_is_a_day() {
        let mut queue = Queue::default();
        for number in 0..MAX_WAITING as u64 {
            assert_eq!(queue.admit(DAY, 1), Ok(()));
            queue.waiting.push_back(message(number, 1));
        }
        assert!(queue.admit(DAY, 1).unwrap_err().contains("100 messages wait already"));
        queue.waiting.clear();
        while queue.admit(DAY, 1).is_ok() {}
        assert_eq!(queue.day.1, MAX_IN_A_DAY);
        assert!(queue.admit(2 * DAY - 1, 1).unwrap_err().contains("in a day"));
        assert_eq!(queue.admit(2 * DAY, 1), Ok(()));
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_and_one_message_always_fits() {
        let mut queue = Queue::default();
        assert_eq!(queue.admit(DAY, 2 * MAX_WAITING_BYTES), Ok(()));
        queue.waiting.push_back(message(1, MAX_WAITING_BYTES - 1));
        assert_eq!(queue.admit(DAY, 1), Ok(()));
        assert!(queue.admit(DAY, 2).unwrap_err().contains("KiB wait already"));
    }

    #[test]
    fn the_log_has_the_last_and_each_once() {
        let mut queue = Queue::default();
        for number in 0..2 * MAX_LOGGED as u64 {
            queue.record(message(number, 1).delivery());
            queue.record(Delivery { tries: 1, ..message(number, 1).delivery() });
        }
        assert_eq!(queue.log.len(), MAX_LOGGED);
        assert!(queue.log.iter().all(|logged| logged.tries == 1));
        assert_eq!(queue.log.back().map(|logged| logged.number), Some(2 * MAX_LOGGED as u64 - 1));
    }
}
