//! Leases by example, and against a model of containers that start, run, die and are listed late.

use proptest::prelude::*;

use super::*;
use crate::devices::found::Way;

fn device(id: &str, kind: &str, memory_gb: u64) -> Device {
    Device {
        id: id.parse().unwrap(),
        kind: kind.parse().unwrap(),
        memory_bytes: memory_gb * 1_000_000_000,
        way: Way::Nodes(Vec::new()),
    }
}

fn wanted(kind: &str, count: u32, memory_gb: u64) -> Gpu {
    Gpu { kind: kind.parse().unwrap(), count, memory_bytes: memory_gb * 1_000_000_000 }
}

fn id(name: &str) -> InstanceId {
    name.parse().unwrap()
}

#[test]
fn the_smallest_that_do_are_chosen() {
    let devices = [device("big", "a100", 80), device("small", "A100", 40), device("t", "t4", 15)];
    let leases = Leases::default();
    let chosen = |kind, count, memory| leases.choose(&devices, &wanted(kind, count, memory));
    assert_eq!(chosen("a100", 1, 40).unwrap(), ["small".parse().unwrap()]);
    assert_eq!(chosen("a100", 1, 80).unwrap(), ["big".parse().unwrap()]);
    assert_eq!(chosen("a100", 2, 80).unwrap().len(), 2);
    assert_eq!(chosen("t4", 1, 16).unwrap(), ["t".parse().unwrap()], "15 GB is what a 16 GB device reports");
    assert!(matches!(chosen("a100", 2, 160), Err(Shortage::Never { all: 1, too_small: 1, .. })));
    assert!(matches!(chosen("h100", 1, 80), Err(Shortage::Never { all: 0, too_small: 0, .. })));
    assert!(matches!(chosen("t4", 2, 32), Err(Shortage::Never { all: 1, wanted: 2, .. })));
    assert_eq!(chosen("t4", 0, 0).unwrap().len(), 1, "none is one");
}

#[test]
fn what_one_has_another_waits_for() {
    let devices = [device("a", "t4", 16), device("b", "t4", 16)];
    let mut leases = Leases::default();
    let (first, had) = leases.lease(&devices, &id("one"), &wanted("t4", 1, 16)).unwrap();
    assert!(leases.keep(first, &had));
    assert!(matches!(
        leases.lease(&devices, &id("two"), &wanted("t4", 2, 32)),
        Err(Shortage::Busy { free: 1, all: 2, .. })
    ));
    let (second, other) = leases.lease(&devices, &id("two"), &wanted("t4", 1, 16)).unwrap();
    assert_ne!(had, other);
    assert!(matches!(leases.lease(&devices, &id("three"), &wanted("t4", 1, 16)), Err(Shortage::Busy { free: 0, .. })));
    leases.give_back(second);
    leases.give_back(first);
    assert_eq!(leases.owners().count(), 1, "what was kept is not given back with the start");
    leases.release(&id("one"));
    assert_eq!(leases.owners().count(), 0);
}

#[test]
fn a_list_that_is_older_than_a_start_takes_nothing_from_it() {
    let devices = [device("a", "t4", 16)];
    let mut leases = Leases::default();
    let mark = leases.mark();
    let (number, had) = leases.lease(&devices, &id("one"), &wanted("t4", 1, 16)).unwrap();
    assert!(leases.keep(number, &had));
    assert_eq!(leases.settle(mark, &[]), []);
    assert_eq!(leases.owners().count(), 1);
    let mark = leases.mark();
    assert_eq!(leases.settle(mark, &[]), []);
    assert_eq!(leases.owners().count(), 0, "a newer one shows that it is gone");
}

#[test]
fn two_that_run_with_one_device_are_told_of() {
    let devices = [device("a", "t4", 16)];
    let mut leases = Leases::default();
    let a: Word = "a".parse().unwrap();
    let (number, had) = leases.lease(&devices, &id("starting"), &wanted("t4", 1, 16)).unwrap();
    let mark = leases.mark();
    let running = [(id("one"), vec![a.clone()]), (id("two"), vec![a.clone()])];
    let conflicts: Vec<_> = leases.settle(mark, &running).into_iter().map(|conflict| conflict.instance).collect();
    assert_eq!(conflicts, [id("two"), id("starting")]);
    assert!(!leases.keep(number, &had), "the start has lost it");
    assert_eq!(leases.owners().collect::<Vec<_>>(), [(&a, &id("one"))]);
}

/// What happens to instances.
#[derive(Debug, Clone)]
enum Step {
    /// A start takes devices.
    Lease(u32),
    /// The oldest start succeeds.
    Run,
    /// The oldest start fails.
    Fail,
    /// A container ends, and the plugin hears of it.
    End(usize),
    /// A container ends, and nobody hears of it.
    Vanish(usize),
    /// The engine is asked what runs.
    List,
    /// What it answered arrives.
    Settle,
    /// The plugin is started anew.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u32..3).prop_map(Step::Lease),
        3 => Just(Step::Run),
        1 => Just(Step::Fail),
        2 => (0usize..4).prop_map(Step::End),
        1 => (0usize..4).prop_map(Step::Vanish),
        2 => Just(Step::List),
        2 => Just(Step::Settle),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// The engine and the plugin's starts, as they really are.
#[derive(Default)]
struct Model {
    running: Vec<(InstanceId, Vec<Word>)>,
    starting: Vec<(u64, InstanceId, Vec<Word>)>,
    answer: Option<(Mark, Vec<(InstanceId, Vec<Word>)>)>,
    started: u32,
}

impl Model {
    fn step(&mut self, leases: &mut Leases, devices: &[Device], step: Step) {
        match step {
            Step::Lease(count) => {
                self.started += 1;
                let owner = id(&format!("i{}", self.started));
                if let Ok((number, had)) = leases.lease(devices, &owner, &wanted("t4", count, 16)) {
                    self.starting.push((number, owner, had));
                }
            }
            Step::Run if !self.starting.is_empty() => {
                let (number, owner, had) = self.starting.remove(0);
                assert!(leases.keep(number, &had), "nothing else can have it");
                self.running.push((owner, had));
            }
            Step::Fail if !self.starting.is_empty() => leases.give_back(self.starting.remove(0).0),
            Step::End(which) if which < self.running.len() => leases.release(&self.running.remove(which).0),
            Step::Vanish(which) if which < self.running.len() => drop(self.running.remove(which)),
            Step::List => self.answer = Some((leases.mark(), self.running.clone())),
            Step::Settle => {
                if let Some((mark, list)) = self.answer.take() {
                    assert_eq!(leases.settle(mark, &list), []);
                }
            }
            Step::Restart => {
                // A start that the old process had not finished is undone by the new one.
                self.starting.clear();
                self.answer = None;
                *leases = Leases::default();
                assert_eq!(leases.settle(leases.mark(), &self.running), []);
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn a_device_never_has_two_owners(steps in steps()) {
        let devices: Vec<Device> = ["a", "b", "c"].map(|id| device(id, "t4", 16)).into();
        let (mut leases, mut model) = (Leases::default(), Model::default());
        for step in steps {
            model.step(&mut leases, &devices, step);
            let had = model.running.iter().map(|(_, had)| had).chain(model.starting.iter().map(|(_, _, had)| had));
            let had: Vec<&Word> = had.flatten().collect();
            let distinct: HashSet<&Word> = had.iter().copied().collect();
            prop_assert_eq!(had.len(), distinct.len(), "one device, two containers");
            for word in distinct {
                prop_assert!(leases.held.contains_key(word), "{} is a container's and counts as free", word);
            }
        }
        // What vanished without a word is found by the next list, and nothing is held for ever.
        let mark = leases.mark();
        leases.settle(mark, &model.running);
        let alive = model.running.iter().map(|(owner, _)| owner).chain(model.starting.iter().map(|(_, owner, _)| owner));
        let alive: HashSet<&InstanceId> = alive.collect();
        for (device, owner) in leases.owners() {
            prop_assert!(alive.contains(owner), "{} is still {}'s", device, owner);
        }
    }
}
