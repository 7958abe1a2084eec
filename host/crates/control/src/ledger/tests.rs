//! What is written down, over a real database and a fleet whose clock is moved by hand.

use spaceport_core::billing::DAY;
use spaceport_core::grant::GrantState;
use spaceport_core::id::{AccountId, GrantId};
use spaceport_core::lifecycle::Event;
use spaceport_core::space::Space;
use spaceport_core::stage::Stage;
use spaceport_db::{AuditActor, AuditEntry, AuditKey};

use super::sweep::try_sweep;
use super::*;
use crate::ports::Clock;
use crate::testing::{World, readme};

async fn running(world: &World) -> Space {
    let readme = readme("wasm");
    let space = world.create("hello", &[("README.md", &readme), ("app.wasm", "hello")]).await;
    world.reaches(&space, Stage::Running).await;
    space
}

/// Stays of a Space, over all days: flavor, whether granted, and seconds.
fn stays(world: &World, space: &Space) -> Vec<(String, bool, u64)> {
    let rows = world.db.usage().scan().unwrap().into_iter().filter(|(key, _)| key.space == space.id);
    let stays = rows.flat_map(|(_, row)| row.stays);
    stays.map(|stay| (stay.flavor, stay.grant.is_some(), stay.millis / 1000)).collect()
}

async fn write(world: &World) {
    write_down(world.fleet.shared()).await.unwrap();
}

#[tokio::test]
async fn running_is_counted_and_pausing_is_not() {
    let world = World::new().await;
    let space = running(&world).await;
    world.clock.advance(90_000);
    write(&world).await;
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 90)]);
    write(&world).await;
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 90)], "written twice, counted once");

    world.clock.advance(30_000);
    world.fleet.send(space.id, Event::PauseRequested).await.unwrap();
    world.clock.advance(3_600_000);
    write(&world).await;
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 120)]);

    world.fleet.restart(space.id, false).await.unwrap();
    world.reaches(&space, Stage::Running).await;
    world.clock.advance(60_000);
    write(&world).await;
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 180)]);
}

#[tokio::test]
async fn sleeping_is_not_counted() {
    let world = World::new().await;
    let space = running(&world).await;
    world.clock.advance(3_600_000);
    world.reaches(&space, Stage::Sleeping).await;
    world.clock.advance(7_200_000);
    write(&world).await;
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 3600)]);
}

#[tokio::test]
async fn a_host_that_is_killed_loses_what_was_not_written_and_counts_nothing_twice() {
    let world = World::new().await;
    let space = running(&world).await;
    world.clock.advance(60_000);
    write(&world).await;
    world.clock.advance(40_000);
    // No word of an end: what was in memory is gone, and the next host begins with what is stored.
    *world.fleet.shared().member(space.id).unwrap().tally.lock() = Tally::default();
    let again = world.start_again().await;
    again.reaches(&space, Stage::Running).await;
    again.clock.advance(60_000);
    write(&again).await;
    assert_eq!(stays(&again, &space), [("cpu-basic".into(), false, 120)]);

    // A write that was stored and whose answer was lost is tried again, with the same rows.
    again.clock.advance(60_000);
    let before = again.fleet.shared().member(space.id).unwrap();
    let rows = last_rows(again.fleet.shared(), &before).unwrap();
    again.db.commit(rows).await.unwrap();
    write(&again).await;
    assert_eq!(stays(&again, &space), [("cpu-basic".into(), false, 180)]);
}

#[tokio::test]
async fn a_host_that_is_stopped_writes_the_minute_under_way() {
    let world = World::new().await;
    let space = running(&world).await;
    world.clock.advance(45_000);
    world.fleet.shutdown(Duration::from_secs(1)).await;
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 45)]);
}

#[tokio::test]
async fn a_stay_over_midnight_is_of_two_days_and_a_move_of_hardware_of_two_flavors() {
    let world = World::new().await;
    let mut space = running(&world).await;
    let to_midnight = DAY - world.clock.0.load(std::sync::atomic::Ordering::SeqCst) % DAY;
    world.clock.advance(to_midnight - 60_000);
    // What ran until then is written, and does not matter here.
    world.fleet.restart(space.id, false).await.unwrap();
    world.reaches(&space, Stage::Running).await;
    write(&world).await;
    let before: u64 = stays(&world, &space).iter().map(|stay| stay.2).sum();
    world.clock.advance(120_000);
    write(&world).await;
    let rows = world.db.usage().scan().unwrap();
    assert_eq!(rows.len(), 2);
    let seconds: Vec<u64> =
        rows.iter().map(|(_, row)| row.stays.iter().map(|stay| stay.millis / 1000).sum::<u64>()).collect();
    assert_eq!(seconds, [before + 60, 60]);

    world.change(&mut space, |space| space.hardware = "paid".into()).await;
    world.until(&space, "the new hardware", |view| view.hardware.as_deref() == Some("paid")).await;
    world.clock.advance(60_000);
    write(&world).await;
    let today = &world.db.usage().scan().unwrap()[1].1;
    let prices: Vec<_> = today.stays.iter().map(|stay| (stay.flavor.as_str(), stay.price, stay.millis)).collect();
    assert_eq!(prices, [("cpu-basic", 0, 60_000), ("paid", 30_000, 60_000)]);
}

#[tokio::test]
async fn a_grant_makes_its_flavor_free_from_then_until_its_end() {
    let world = World::new().await;
    let mut space = running(&world).await;
    world.change(&mut space, |space| space.hardware = "paid".into()).await;
    world.until(&space, "the new hardware", |view| view.hardware.as_deref() == Some("paid")).await;
    world.clock.advance(60_000);
    write(&world).await;
    let now = world.clock.now();
    let by = AccountId::from_bytes([9; 12]);
    let mut grant = Grant {
        id: GrantId::from_bytes([7; 12]),
        flavor: "paid".into(),
        reason: "r".into(),
        asked_by: by,
        asked_at: now,
        state: GrantState::Approved { by, at: now, ended_at: None },
    };
    store_grant(&world, &space, &grant).await;
    world.clock.advance(120_000);
    write(&world).await;
    grant.state = GrantState::Approved { by, at: now, ended_at: Some(world.clock.now()) };
    store_grant(&world, &space, &grant).await;
    world.clock.advance(60_000);
    write(&world).await;
    let paid: Vec<_> = stays(&world, &space).into_iter().filter(|stay| stay.0 == "paid").collect();
    assert_eq!(paid, [("paid".into(), false, 120), ("paid".into(), true, 120)]);
}

async fn store_grant(world: &World, space: &Space, grant: &Grant) {
    let mut batch = world.db.batch();
    batch.put(world.db.grants(), &(space.id, grant.id), grant);
    world.db.commit(batch).await.unwrap();
}

#[tokio::test]
async fn the_rows_of_a_deleted_space_stay_with_its_last_minute() {
    let world = World::new().await;
    let space = running(&world).await;
    world.clock.advance(75_000);
    world.fleet.remove(space.id).await.unwrap();
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 75)]);
    world.clock.advance(75_000);
    write(&world).await;
    assert_eq!(stays(&world, &space), [("cpu-basic".into(), false, 75)]);
}

#[tokio::test]
async fn a_storage_tier_is_noted_once_a_month_and_fuel_by_the_day() {
    let world = World::new().await;
    let mut space = running(&world).await;
    world.change(&mut space, |space| space.storage = Some("small".into())).await;
    for _ in 0..3 {
        write(&world).await;
    }
    world.change(&mut space, |space| space.storage = Some("medium".into())).await;
    write(&world).await;
    let months = world.db.storage_months().scan().unwrap();
    let tiers: Vec<_> = months[0].1.tiers.iter().map(|tier| (tier.tier.as_str(), tier.price)).collect();
    assert_eq!((months.len(), tiers), (1, vec![("small", 5_000_000), ("medium", 25_000_000)]));
    world.clock.advance(31 * DAY);
    write(&world).await;
    let months: Vec<usize> =
        world.db.storage_months().scan().unwrap().iter().map(|(_, month)| month.tiers.len()).collect();
    assert_eq!(months, [2, 1]);

    world.reaches(&space, Stage::Sleeping).await;
    world.fleet.wake(space.id).await.unwrap();
    let fuel = |world: &World| world.db.usage().scan().unwrap().iter().map(|(_, row)| row.fuel).sum::<u64>();
    write(&world).await;
    let before = fuel(&world);
    world.get("ada-hello.localhost").await.unwrap();
    world.clock.advance(1000);
    write(&world).await;
    assert_eq!(fuel(&world), before + 1, "a call burns one unit here");
}

#[tokio::test]
async fn the_audit_log_and_usage_are_bounded_by_age_and_number() {
    let world = World::new().await;
    let mut batch = world.db.batch();
    let now = world.clock.now();
    let entry = AuditEntry {
        actor: AuditActor::Shell,
        from: None,
        action: "x".into(),
        space: None,
        target: None,
        detail: Default::default(),
    };
    let ancient = (0..3).map(|draw| AuditKey { at: now - 401 * DAY, draw });
    let recent = (0..5).map(|draw| AuditKey { at: now - draw * 1000, draw });
    for key in ancient.chain(recent) {
        batch.put(world.db.audit(), &key, &entry);
    }
    let space = spaceport_core::id::SpaceId::from_bytes([5; 12]);
    for day in [day_of(now), day_of(now) - 3 * 366 - 1] {
        let key = UsageKey { period: day, owner: AccountId::from_bytes([1; 12]), space };
        batch.put(world.db.usage(), &key, &DayUsage::default());
    }
    world.db.commit(batch).await.unwrap();
    let kept = |world: &World| world.db.audit().scan().unwrap().iter().map(|(key, _)| key.draw).collect::<Vec<_>>();
    try_sweep(world.fleet.shared(), 100).await.unwrap();
    assert_eq!(kept(&world), [4, 3, 2, 1, 0]);
    try_sweep(world.fleet.shared(), 2).await.unwrap();
    assert_eq!(kept(&world), [1, 0], "the newest");
    assert_eq!(world.db.usage().count().unwrap(), 1);
}
