//! What an instance's id says: `<host>-<owner>-<order>-<launch>`.

use sha2::{Digest, Sha256};
use spaceport_backend_protocol::{InstanceId, encode};

use super::Order;

/// Digits of the parts that are digests: 32 bits tell the hosts of one engine, and the orders of one owner, from each other.
const DIGITS: usize = 8;
/// Characters of an owner.
const OWNER: usize = 24;
/// In place of the id while an order's digest is made.
const NOBODY: &str = "0";

/// The parts of an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    host: String,
    owner: String,
    /// Of everything that is ordered. Whoever changes a variable, the hardware or a line of code gets another instance.
    order: String,
}

impl Label {
    /// The label of an order of this host. The digest is keyed: it goes where secrets do not, and must not help guess them.
    pub(super) fn of(key: &[u8; 32], order: &Order) -> Self {
        let request = order.request(NOBODY.parse().expect("a digit is an id"));
        Self {
            host: digest(key, b"host"),
            owner: order.owner.chars().filter(char::is_ascii_alphanumeric).take(OWNER).collect(),
            order: digest(key, &encode(&request)),
        }
    }

    /// What an id says; `None` if it is none of ours, by whichever host.
    pub(super) fn parse(id: &InstanceId) -> Option<Self> {
        let mut parts = id.as_str().split('-');
        let mut next = || parts.next().map(str::to_owned);
        let (host, owner, order, launch) = (next()?, next()?, next()?, next()?);
        let is_digest = |part: &str| part.len() == DIGITS && part.bytes().all(|b| b.is_ascii_hexdigit());
        let is_ours = is_digest(&host) && is_digest(&order) && launch.parse::<u64>().is_ok() && next().is_none();
        is_ours.then_some(Self { host, owner, order })
    }

    /// Whether an id is one of the host with this key.
    pub(super) fn is_of_host(id: &InstanceId, key: &[u8; 32]) -> bool {
        Self::parse(id).is_some_and(|label| label.host == digest(key, b"host"))
    }

    /// Whether it is for the same owner, on the same host.
    pub(super) fn is_of_owner(&self, other: &Self) -> bool {
        self.host == other.host && self.owner == other.owner
    }

    /// Whether it was made from the same order.
    pub(super) fn is_same_order(&self, other: &Self) -> bool {
        self == other
    }

    /// The id of a launch.
    pub(super) fn id(&self, launch: u64) -> InstanceId {
        let Self { host, owner, order } = self;
        format!("{host}-{owner}-{order}-{launch}").parse().expect("digits and lower-case letters, 63 at the most")
    }
}

fn digest(key: &[u8; 32], what: &[u8]) -> String {
    let digest = Sha256::new().chain_update(key).chain_update(what).finalize();
    digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spaceport_backend_protocol::{Egress, Hardware, LogLine, Variable};

    use super::super::Witness;
    use super::*;

    struct Nobody;

    impl Witness for Nobody {
        fn wrote(&self, _: &LogLine) {}
        fn ended(&self, _: String) {}
    }

    fn order() -> Order {
        Order {
            owner: "65f0c0ffee0123456789abcd".into(),
            number: 1,
            artifact: "sha256:00".parse().unwrap(),
            hardware: Hardware {
                name: "cpu-basic".parse().unwrap(),
                cpu_milli: 2000,
                memory_bytes: 1 << 30,
                disk_bytes: 1 << 30,
                gpu: None,
            },
            variables: vec![Variable { name: "TOKEN".parse().unwrap(), value: "secret".parse().unwrap() }],
            port: 7860,
            data: None,
            egress: Egress::default(),
            logged_until: None,
            witness: Arc::new(Nobody),
        }
    }

    #[test]
    fn an_id_says_whose_it_is_and_what_was_ordered() {
        let (ours, theirs) = ([1; 32], [2; 32]);
        let label = Label::of(&ours, &order());
        let id = label.id(u64::MAX);
        assert!(id.as_str().len() <= 64, "{id}");
        assert_eq!(Label::parse(&id), Some(label.clone()));
        assert!(Label::is_of_host(&id, &ours) && !Label::is_of_host(&id, &theirs));
        let elsewhere = Label::of(&theirs, &order());
        assert!(!elsewhere.is_of_owner(&label) && !elsewhere.is_same_order(&label));
        let changed: [&dyn Fn(&mut Order); 3] = [
            &|order| order.variables[0].value = "other".parse().unwrap(),
            &|order| order.artifact = "sha256:01".parse().unwrap(),
            &|order| order.hardware.cpu_milli = 1,
        ];
        for change in changed {
            let mut order = order();
            change(&mut order);
            let changed = Label::of(&ours, &order);
            assert!(changed.is_of_owner(&label) && !changed.is_same_order(&label));
        }
        let later = Order { number: 2, ..order() };
        assert!(Label::of(&ours, &later).is_same_order(&label), "the same order, launched again");
    }

    #[test]
    fn ids_of_others_say_nothing() {
        for id in
            ["somebody-elses", "space-1", "0011aabb-x-0011aabb", "0011aabb-x-0011aabb-1-2", "0011aabb-x-0011aabb-y"]
        {
            assert_eq!(Label::parse(&id.parse().unwrap()), None, "{id}");
        }
    }
}
