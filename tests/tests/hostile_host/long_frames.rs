//! Long frames that one side has no room for: their calls fail alone. (Here a segment can't be mapped
//! because its descriptor only reads; where there are no descriptors, see `edges`.)

use super::*;

/// Announces a segment that can't be mapped, and hears so.
fn announce_in_vain(host: &Host, segment: u64, memory: &Memory) {
    let frame = frame::segment(segment, memory.len_bytes(), true);
    host.end().send_with(&frame, memory.read_only());
    assert!(matches!(host.receive(), Frame::Refused { segment: found, .. } if found == segment));
}

fn place(bytes: &[u8], transfer: u64) -> Vec<u8> {
    frame::oversize(&Handle::row(1, dtype::U8, bytes.len() as u64).on(Terms::Moved(transfer)))
}

/// Hears that there was no room for a long frame.
fn assert_unread(host: &Host, transfer: u64) {
    let Frame::Unread {
        transfer: found,
        reason,
    } = host.receive()
    else {
        panic!("it can't be read");
    };
    assert_eq!(found, transfer);
    assert!(reason.contains("can't be mapped"), "{reason}");
}

/// Receives a long frame in a segment that isn't known; returns the number of its transfer.
fn receive_long(host: &Host) -> u64 {
    let (segment, _) = host.receive_segment();
    match host.receive() {
        Frame::Oversize { frame } if frame.segment == segment => match frame.terms {
            Terms::Moved(transfer) => transfer,
            terms => panic!("a long frame is moved, not {terms:?}"),
        },
        other => panic!("a long frame is expected, not {other:?}"),
    }
}

/// Calls a function whose answer is long.
fn call_for_much(host: &Host, call: u64) -> u64 {
    host.call(call, "values.zeros", &[], &100_000u64.to_le_bytes());
    receive_long(host)
}

fn no_room(failure: &Failure) -> bool {
    let Failure::NotReturned { reason } = failure else {
        return false;
    };
    reason.starts_with("no room for a frame of 100") && reason.ends_with(" bytes: full")
}

#[test]
fn a_long_call_that_can_not_be_read_is_no_call() {
    let host = greeted();
    let text = Bytes::new().run("x".repeat(100)).done();
    let call = frame::call(1, function("values", "echo"), &[], &text);
    let memory = Memory::of(&call);
    announce_in_vain(&host, 1, &memory);
    for transfer in [8, 9] {
        host.send(&place(&call, transfer));
        assert_unread(&host, transfer);
    }
    // What comes behind it is none the worse for it, and its number is free.
    host.assert_alive();
    host.announce(1, &memory);
    host.send(&place(&call, 10));
    assert_eq!(host.receive(), Frame::Ended { transfer: 10 });
    assert_eq!(host.result(1), text);
    host.shut_down();
}

#[test]
fn a_long_answer_that_can_not_be_read_is_replaced_even_in_a_shutdown() {
    let host = greeted();
    let transfer = call_for_much(&host, 1);
    host.assert_alive();
    host.send(&frame::shutdown());
    host.send(&frame::unread(transfer, "full"));
    let failure = host.failure(1);
    assert!(no_room(&failure), "{failure:?}");
    assert_eq!(host.ended().code, Some(0));
}

#[test]
fn what_is_passed_on_beside_an_unread_answer_is_ended() {
    let (host, memory) = (greeted(), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(5));
    let body = Bytes::new().u32(0).u64(100_000).done();
    host.call(1, "arrays.pass_on_with", &[given], &body);
    let transfer = receive_long(&host);
    host.send(&frame::unread(transfer, "full"));
    assert_eq!(host.receive(), Frame::Ended { transfer: 5 });
    let failure = host.failure(1);
    assert!(no_room(&failure), "{failure:?}");
    host.shut_down();
}

#[test]
fn a_panic_in_many_words_is_told_in_fewer() {
    let (host, memory) = (greeted(), Memory::new(16));
    host.announce_writable(1, &memory);
    let lent = Handle::row(1, dtype::U8, 16).on(Terms::ReadWrite);
    let body = Bytes::new().u32(0).u64(100_000).done();
    host.call(1, "edges.panic_at_length", &[lent], &body);
    let transfer = receive_long(&host);
    host.send(&frame::unread(transfer, "full"));
    let Failure::Panicked { message, .. } = host.failure(1) else {
        panic!("it began, and panicked");
    };
    assert_eq!(message, format!("{} ..", "x".repeat(4096)));
    assert_eq!(memory.read(0), [1; 16]);
    host.assert_alive();
}

#[test]
fn to_refuse_what_is_no_long_frame_is_a_violation() {
    type Prepare = fn(&Host) -> u64;
    let cases: [(&str, Prepare); 4] = [
        ("never sent", |_| 77),
        ("an array", |host| {
            host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
            let _ = host.receive_segment();
            assert!(matches!(host.receive(), Frame::Returned { .. }));
            1
        }),
        ("read", |host| {
            let transfer = call_for_much(host, 1);
            host.send(&frame::ended(transfer));
            transfer
        }),
        ("not read", |host| {
            let transfer = call_for_much(host, 1);
            host.send(&frame::unread(transfer, "full"));
            let _ = host.failure(1);
            transfer
        }),
    ];
    for (what, prepare) in cases {
        let host = greeted();
        let transfer = prepare(&host);
        host.send(&frame::unread(transfer, what));
        let message = format!("could not read transfer {transfer}, which is no long frame");
        host.assert_violation(&message);
    }
    let host = greeted();
    let transfer = call_for_much(&host, 1);
    host.send(&frame::unread(transfer, "full"));
    let _ = host.failure(1);
    host.send(&frame::ended(transfer));
    host.assert_violation(&format!("ended transfer {transfer}, which isn't under way"));
}

#[test]
fn over_tarpc_it_is_the_same() {
    let host = over_tarpc::greeted_over_tarpc();
    let request = frame::request(3, function("values", "nothing"), &[], &[]);
    let request = over_tarpc::tarpc_request(10, 1).raw(&request).done();
    let frame = frame::tarpc(&request);
    let memory = Memory::of(&frame);
    announce_in_vain(&host, 1, &memory);
    host.send(&place(&frame, 8));
    assert_unread(&host, 8);
    host.announce(1, &memory);
    host.send(&place(&frame, 9));
    assert_eq!(host.receive(), Frame::Ended { transfer: 9 });
    assert!(matches!(host.receive(), Frame::Tarpc { .. }));

    let many = 100_000u64.to_le_bytes();
    let request = frame::request(4, function("values", "zeros"), &[], &many);
    let request = over_tarpc::tarpc_request(10, 2).raw(&request).done();
    host.send(&frame::tarpc(&request));
    let transfer = receive_long(&host);
    host.send(&frame::unread(transfer, "full"));
    let Frame::Tarpc { message } = host.receive() else {
        panic!("an answer of tarpc's");
    };
    let mut reader = Reader::new(&message);
    // The request, which is all right; the call, which failed: its result was not returned.
    assert_eq!((reader.u64(), reader.u32()), (2, 0));
    assert_eq!((reader.u64(), reader.u32(), reader.u32()), (4, 1, 5));
    assert!(reader.string().ends_with(" bytes: full"));
    reader.end();
    host.shut_down();
}
