//! Instances: those that aren't there, and the end of those that are.

use std::fs::File;
use std::path::Path;

use reedbed_tests::gate::Gates;

use super::*;

/// A host for which the worker keeps one instance, and its number.
fn keeping_one() -> (Host, u64) {
    let host = greeted();
    let number = construct(&host, 1, "kept");
    (host, number)
}

/// Constructs a keeper by call `call`.
fn construct(host: &Host, call: u64, label: &str) -> u64 {
    host.call(call, "keeper.new", &[], &Bytes::new().run(label).done());
    let returned = host.result(call);
    let mut reader = Reader::new(&returned);
    assert_eq!(reader.u32(), 0, "the variant of `Ok`");
    let number = reader.u64();
    reader.end();
    number
}

/// The body of a method's call without other arguments.
fn of(instance: u64) -> Vec<u8> {
    Bytes::new().u64(instance).done()
}

#[test]
fn numbers_are_never_used_twice() {
    let (host, first) = keeping_one();
    host.send(&frame::dropped(first));
    let second = construct(&host, 2, "second");
    assert_ne!(first, second);
    host.call(3, "keeper.label", &[], &of(second));
    assert_eq!(host.result(3), Bytes::new().run("second").done());
    host.shut_down();
}

#[test]
fn a_call_of_an_unknown_instance_fails() {
    let (host, number) = keeping_one();
    let beyond = number + 1;
    host.call(2, "keeper.label", &[], &of(beyond));
    assert_eq!(
        host.failure(2),
        Failure::UnknownInstance { instance: beyond }
    );
    // It is told before anything is said of the arguments.
    host.call(3, "keeper.wait", &[], &of(beyond));
    assert_eq!(
        host.failure(3),
        Failure::UnknownInstance { instance: beyond }
    );
    host.assert_alive();
}

#[test]
fn a_call_of_another_services_instance_fails() {
    let (host, number) = keeping_one();
    let body = Bytes::new().u64(number).u64(1).done();
    host.call(2, "tally.add", &[], &body);
    assert_eq!(
        host.failure(2),
        Failure::UnknownInstance { instance: number }
    );
    host.assert_alive();
}

#[test]
fn a_method_without_an_instance_fails() {
    let (host, _) = keeping_one();
    host.call(2, "keeper.label", &[], &[1, 2, 3]);
    let Failure::BadArgument { argument, .. } = host.failure(2) else {
        panic!("the argument is missing");
    };
    assert_eq!(argument, "self");
    host.assert_alive();
}

#[test]
fn a_call_before_the_drop_runs_and_one_after_it_fails() {
    let (host, number) = keeping_one();
    let gates = Bytes::new().u64(number).run("/no/gate").run("/no/gate");
    host.call(2, "keeper.wait", &[], &gates.done());
    host.send(&frame::dropped(number));
    assert_eq!(host.result(2), Bytes::new().run("kept").done());
    host.call(3, "keeper.label", &[], &of(number));
    assert_eq!(
        host.failure(3),
        Failure::UnknownInstance { instance: number }
    );
    host.shut_down();
}

#[test]
fn dropping_what_isnt_there_is_a_violation() {
    let (host, number) = keeping_one();
    host.send(&frame::dropped(number));
    host.send(&frame::dropped(number));
    host.assert_violation(&format!("dropped instance {number}, which isn't there"));
    let host = greeted();
    host.send(&frame::dropped(u64::MAX));
    host.assert_violation(&format!("dropped instance {}, which isn't there", u64::MAX));
}

#[test]
fn what_is_dropped_during_a_shutdown_may_be_gone_already() {
    let (host, number) = keeping_one();
    let gates = Gates::new();
    let (first, second) = gates.pair();
    let pass = |gate: &Path| drop(File::options().write(true).open(gate).expect("a gate"));
    let [into, out] = [&first, &second].map(|gate| gate.to_str().expect("UTF-8"));
    let arguments = Bytes::new().u64(number).run(into).run(out);
    host.call(2, "keeper.wait", &[], &arguments.done());
    pass(&first);
    // The call holds the end up, so all of this is read. The second one finds what a host finds that is
    // slower than the worker, which drops its instances when the last call has ended.
    host.send(&frame::shutdown());
    host.send(&frame::dropped(number));
    host.send(&frame::dropped(number));
    pass(&second);
    let ended = host.ended();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_constructors_error_keeps_nothing() {
    let host = greeted();
    host.call(1, "keeper.new", &[], &Bytes::new().run("").done());
    assert_eq!(host.result(1), Bytes::new().u32(1).u32(0).done());
    // Had it been kept, it would be the first.
    host.call(2, "keeper.label", &[], &of(1));
    assert_eq!(host.failure(2), Failure::UnknownInstance { instance: 1 });
    host.shut_down();
}
