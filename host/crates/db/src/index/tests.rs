use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (0..4u8, 0..6u8, prop::option::of(prop::collection::vec(any::<u8>(), 0..4)));
    let change = change.prop_map(|(table, key, value)| Change { key: vec![table + 1, key], value });
    prop::collection::vec(change, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_homes_of_the_index_give_the_same_answers(batches in prop::collection::vec(changes(), 1..6)) {
        let dir = TempDir::new().unwrap();
        let disk = Index::on_disk(DiskIndex::open(dir.path()).unwrap());
        let memory = Index::in_memory(Rows::new());
        for (batch, number) in batches.into_iter().zip(1..) {
            let numbered: Vec<_> = batch.into_iter().map(|change| (number, change)).collect();
            disk.apply(&numbered).unwrap();
            memory.apply(&numbered).unwrap();
        }
        for table in 1..5u8 {
            prop_assert_eq!(disk.scan(&[table]).unwrap(), memory.scan(&[table]).unwrap());
            prop_assert_eq!(disk.count(&[table]).unwrap(), memory.scan(&[table]).unwrap().len());
            prop_assert_eq!(memory.count(&[table]).unwrap(), disk.count(&[table]).unwrap());
            for is_backwards in [false, true] {
                let slice = |index: &Index| index.slice(&[table], &[table, 4], is_backwards, 2).unwrap();
                let mut wanted = memory.scan(&[table]).unwrap();
                wanted.retain(|(key, _)| key.as_slice() < &[table, 4][..]);
                if is_backwards {
                    wanted.reverse();
                }
                wanted.truncate(2);
                prop_assert_eq!(&slice(&disk), &wanted);
                prop_assert_eq!(slice(&memory), wanted);
            }
            for key in 0..6u8 {
                prop_assert_eq!(disk.get(&[table, key]).unwrap(), memory.get(&[table, key]).unwrap());
            }
        }
        let rows: Rows = (1..5u8).flat_map(|table| memory.scan(&[table]).unwrap()).collect();
        prop_assert_eq!(disk.with_disk(|disk| disk.differences(&rows).unwrap()), Some(vec![]));
    }

    #[test]
    fn reconciling_counts_and_removes_every_difference(have in changes(), want in changes()) {
        let dir = TempDir::new().unwrap();
        let disk = DiskIndex::open(dir.path()).unwrap();
        let mut rows = Rows::new();
        disk.apply(&have.into_iter().map(|change| (1, change)).collect::<Vec<_>>()).unwrap();
        want.into_iter().for_each(|change| apply_change(&mut rows, 2, change));
        let differences = disk.differences(&rows).unwrap().len() as u64;
        prop_assert_eq!(disk.reconcile(&rows, 2).unwrap(), differences);
        prop_assert_eq!(disk.differences(&rows).unwrap().len(), 0);
        prop_assert_eq!(disk.applied().unwrap(), Some(2));
    }
}
