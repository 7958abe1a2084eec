//! The Engine ends and comes back: what the plugin says meanwhile, and that all is as it was.

use std::net::TcpListener;
use std::time::SystemTime;

use bollard::query_parameters::EventsOptions;
use futures_util::TryStreamExt;
use rustix::process::Signal;
use spaceport_backend_protocol::{Call, ErrorCode, Health, Instance, InstanceState, Instances, encode};

use crate::engine::Own;
use crate::harness::{Plugin, eventually, start_request};

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// How many containers of the probe's there were since a time.
fn probers(plugin: &Plugin, since: u64) -> usize {
    plugin.engine().ask(async |docker| {
        let filters = [("event".to_owned(), vec!["create".to_owned()])].into();
        let (since, until) = (Some(since.to_string()), Some((now() + 1).to_string()));
        let events = docker.events(Some(EventsOptions { since, until, filters: Some(filters) }));
        let events: Vec<_> = events.try_collect().await.unwrap();
        let image = |event: &bollard::models::EventMessage| event.actor.clone()?.attributes?.remove("image");
        events.iter().filter_map(image).filter(|image| image.starts_with("spaceport-probe")).count()
    })
}

/// What the plugin says of an engine that is not there.
fn is_away(plugin: &Plugin) {
    let is_away = || matches!(plugin.call::<Health>(&Call::Health, b""), Ok(Health::Unready { .. }));
    // One that has just ended may still be asked for a moment.
    eventually("the plugin tells of it", || is_away().then_some(()));
    assert_eq!(plugin.call::<Instances>(&Call::List, b"").unwrap_err().error, ErrorCode::Unavailable);
    let request = start_request("z-1", &"sha256:00".parse().unwrap());
    let refused = plugin.call::<Instance>(&Call::Start, &encode(&request)).unwrap_err();
    assert_eq!(refused.error, ErrorCode::Unavailable, "{refused}");
}

#[test]
fn where_containers_outlive_the_engine_nothing_is_lost_but_the_time() {
    let Some(mut own) = Own::start(&["--live-restore"]) else { return };
    let plugin = Plugin::on(own.engine(), &[]);
    let request = start_request("a-1", &plugin.app());
    let address = plugin.start_app(&request);
    let gateway = plugin.container(&request.id).network_settings.unwrap().networks.unwrap();
    let gateway = gateway.values().next().unwrap().gateway.clone().unwrap();
    let listener = plugin.engine().within(|| TcpListener::bind((gateway.as_str(), 0)).unwrap());
    let connect = format!("/connect?{}", listener.local_addr().unwrap());
    let is_fenced = |when: &str| {
        let answer = plugin.get(address, &connect).unwrap();
        assert!(answer.contains("refused"), "{when}: {answer}");
    };
    is_fenced("before");
    let before = plugin.list();
    own.end(Signal::TERM);
    is_away(&plugin);
    is_fenced("while it is away");
    let since = now();
    own.begin();
    // From the moment that it answers all is as it was.
    assert_eq!(plugin.list(), before);
    assert_eq!(plugin.call::<Health>(&Call::Health, b""), Ok(Health::Ready));
    is_fenced("afterwards");
    assert_eq!(plugin.get(address, "/").as_deref(), Some("hello"));
    assert_eq!(plugin.call::<Instance>(&Call::Start, &encode(&request)).as_ref(), Ok(&before[0]));
    assert_eq!(plugin.containers(), 1);
    eventually("the rule is tried anew, though nobody asked", || (probers(&plugin, since) >= 4).then_some(()));
    drop(listener);
}

#[test]
fn where_they_end_with_it_each_is_there_once_and_says_how_it_ended() {
    let Some(mut own) = Own::start(&[]) else { return };
    let plugin = Plugin::on(own.engine(), &[]);
    let artifact = plugin.app();
    for (turn, signal) in [Signal::TERM, Signal::KILL].into_iter().enumerate() {
        let ids = [format!("a-{turn}"), format!("b-{turn}")];
        let requests = ids.each_ref().map(|id| start_request(id, &artifact));
        requests.iter().for_each(|request| _ = plugin.start_app(request));
        own.end(signal);
        is_away(&plugin);
        let since = now();
        own.begin();
        let mut found = plugin.list();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ids, "{signal:?}");
        let has_ended = |instance: &Instance| matches!(instance.state, InstanceState::Exited { .. });
        assert!(found.iter().all(has_ended), "{signal:?}: {found:?}");
        // Asked for again it is what it was; another one runs at once, under a rule that was tried anew.
        let again: Instance = plugin.call(&Call::Start, &encode(&requests[0])).unwrap();
        assert_eq!(again, found[0]);
        let next = start_request(&format!("c-{turn}"), &artifact);
        plugin.start_app(&next);
        assert!(probers(&plugin, since) >= 4, "{signal:?}");
        assert_eq!((plugin.list().len(), plugin.containers()), (3, 3));
        plugin.list().iter().for_each(|instance| plugin.remove(&instance.id));
        assert_eq!(plugin.containers(), 0);
    }
}

#[test]
fn an_engine_that_hangs_is_told_of_and_waited_for() {
    let Some(own) = Own::offline() else { return };
    let plugin = Plugin::on(own.engine(), &[]);
    let request = start_request("a-1", &plugin.app());
    let address = plugin.start_app(&request);
    own.signal(Signal::STOP);
    let reason = "the container engine does not answer in time".parse().unwrap();
    assert_eq!(plugin.call::<Health>(&Call::Health, b""), Ok(Health::Unready { reason }));
    assert_eq!(plugin.get(address, "/").as_deref(), Some("hello"), "nobody needs it to be visited");
    own.signal(Signal::CONT);
    plugin.is_ready();
    assert_eq!(plugin.list().len(), 1);
    plugin.get(address, "/exit?7");
    assert_eq!(plugin.end_of(&request.id).0, Some(7));
}
