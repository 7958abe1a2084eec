use super::*;

const SECOND: u64 = 1_000_000_000;

fn new(is_serial: bool) -> Arc<InstanceControl> {
    InstanceControl::new(Weak::new(), is_serial)
}

fn control() -> Arc<InstanceControl> {
    started(false)
}

fn started(is_serial: bool) -> Arc<InstanceControl> {
    let control = new(is_serial);
    control.started();
    control
}

fn ticket(control: &Arc<InstanceControl>) -> Arc<Ticket> {
    let ticket = Ticket::new(Duration::from_secs(30), Duration::from_secs(60), Duration::from_secs(3600));
    control.begin(ticket.clone());
    ticket
}

fn busy(control: &InstanceControl, after: u64) -> Verdict {
    control.verdict(WorkerStatus::Requests, clock::now() + after)
}

fn idle(control: &InstanceControl, after: u64) -> Verdict {
    control.verdict(WorkerStatus::Idle, clock::now() + after)
}

#[test]
fn a_request_without_a_head_ends_the_instance_at_its_deadline() {
    let control = control();
    let ticket = ticket(&control);
    assert_eq!(busy(&control, 0), Verdict::GoOn(ticket.first_byte()));
    assert_eq!(busy(&control, 31 * SECOND), Verdict::End(End::Deadline));
    assert!(ticket.is_broken());
}

#[test]
fn an_answered_request_has_until_its_stream_is_over() {
    let control = control();
    let ticket = ticket(&control);
    ticket.answer();
    assert!(matches!(busy(&control, 31 * SECOND), Verdict::GoOn(_)));
    assert!(matches!(busy(&control, 3600 * SECOND), Verdict::GoOn(_)));
    assert_eq!(busy(&control, 3631 * SECOND), Verdict::End(End::Deadline));
}

#[test]
fn a_starved_body_is_late_after_the_longest_silence() {
    let control = control();
    let ticket = ticket(&control);
    ticket.answer();
    ticket.starve(std::task::Waker::noop());
    assert!(matches!(busy(&control, 59 * SECOND), Verdict::GoOn(_)));
    ticket.feed();
    assert!(matches!(busy(&control, 61 * SECOND), Verdict::GoOn(_)));
    ticket.starve(std::task::Waker::noop());
    assert_eq!(busy(&control, 61 * SECOND), Verdict::End(End::Deadline));
}

#[test]
fn one_lost_request_does_not_end_an_instance_that_others_wait_for() {
    let control = control();
    let (lost, kept) = (ticket(&control), ticket(&control));
    lost.abandon();
    assert!(matches!(busy(&control, SECOND), Verdict::GoOn(_)));
    kept.abandon();
    assert!(matches!(busy(&control, 0), Verdict::GoOn(_)), "a guest gets a moment to notice");
    assert_eq!(busy(&control, SECOND), Verdict::End(End::Abandoned));
}

#[test]
fn a_late_request_breaks_though_its_instance_goes_on() {
    let control = control();
    let (late, kept) = (ticket(&control), ticket(&control));
    kept.answer();
    assert!(matches!(busy(&control, 31 * SECOND), Verdict::GoOn(_)));
    assert!(late.is_broken() && !kept.is_broken());
}

#[test]
fn work_after_the_last_answer_is_bounded() {
    let control = control();
    let ticket = ticket(&control);
    ticket.answer();
    ticket.finish();
    assert!(matches!(busy(&control, 29 * SECOND), Verdict::GoOn(_)));
    assert_eq!(busy(&control, 31 * SECOND), Verdict::End(End::Deadline));
}

#[test]
fn an_idle_instance_leaves_after_a_minute_and_at_once_when_its_slot_is_wanted() {
    let control = control();
    assert!(matches!(idle(&control, 0), Verdict::GoOn(_)));
    assert!(matches!(idle(&control, 59 * SECOND), Verdict::GoOn(_)));
    assert_eq!(idle(&control, 61 * SECOND), Verdict::End(End::Idle));
    assert!(control.yield_slot());
    assert_eq!(idle(&control, 0), Verdict::End(End::Idle));
}

#[test]
fn a_busy_instance_keeps_its_slot() {
    let control = control();
    let _ticket = ticket(&control);
    assert!(!control.yield_slot());
    assert!(matches!(busy(&control, 0), Verdict::GoOn(_)));
}

#[test]
fn a_bloated_instance_is_replaced_soon_after_it_is_idle() {
    let control = control();
    control.memory.store(10 << 20, Ordering::Relaxed);
    ticket(&control).finish();
    control.memory.store(100 << 20, Ordering::Relaxed);
    assert!(matches!(idle(&control, 0), Verdict::GoOn(_)));
    assert_eq!(idle(&control, 3 * SECOND), Verdict::End(End::Idle));
}

#[test]
fn an_old_instance_is_replaced_when_idle() {
    let control = control();
    assert!(matches!(idle(&control, 0), Verdict::GoOn(_)));
    assert_eq!(idle(&control, 3601 * SECOND), Verdict::End(End::Idle));
}

#[test]
fn a_stopped_instance_ends_in_every_status() {
    for status in [WorkerStatus::Idle, WorkerStatus::Requests, WorkerStatus::PostReturn] {
        let control = control();
        let _ticket = ticket(&control);
        control.stop();
        assert_eq!(control.verdict(status, clock::now()), Verdict::End(End::Stopped));
        assert_eq!(control.running_verdict(clock::now()), Verdict::End(End::Stopped));
    }
}

#[test]
fn background_work_of_an_idle_instance_is_let_be() {
    let control = control();
    assert!(matches!(idle(&control, 0), Verdict::GoOn(_)));
    assert_eq!(control.running_verdict(clock::now() + 3600 * SECOND), Verdict::GoOn(u64::MAX));
}

#[test]
fn a_guest_that_is_done_outlives_the_clients_that_left() {
    let control = control();
    ticket(&control).abandon();
    assert!(matches!(idle(&control, 0), Verdict::GoOn(_)));
    assert!(matches!(idle(&control, SECOND), Verdict::GoOn(_)));
    assert!(control.idle_since().is_some());
}

#[test]
fn requests_that_nobody_waits_for_do_not_add_up() {
    let serial = started(true);
    (0..100).for_each(|_| ticket(&serial).abandon());
    assert_eq!(serial.begin(ticket(&serial)), 1);
    assert!(serial.requests.lock().len() <= 2);

    let concurrent = control();
    let stream = ticket(&concurrent);
    stream.answer();
    (0..100).for_each(|_| ticket(&concurrent).abandon());
    assert_eq!(concurrent.live(), 1);
    assert!(matches!(busy(&concurrent, SECOND), Verdict::GoOn(_)));
    assert_eq!(concurrent.requests.lock().len(), 1);
}

#[test]
fn a_late_request_is_late_though_its_client_left_at_that() {
    let control = control();
    let ticket = ticket(&control);
    ticket.expire();
    ticket.abandon();
    assert_eq!(busy(&control, 0), Verdict::End(End::Deadline));
}

#[test]
fn a_guest_that_starts_is_not_held_to_the_time_of_requests() {
    let control = new(true);
    assert_eq!(control.running_verdict(clock::now() + 3600 * SECOND), Verdict::GoOn(u64::MAX));
}
