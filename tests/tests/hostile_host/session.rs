//! A session as it should be.

use super::*;

#[test]
fn a_lent_array_is_read_in_place() {
    let (host, _memory) = lending_three();
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(1), 6i64.to_le_bytes());
    host.send(&frame::forget(1));
    host.shut_down();
}

#[test]
fn an_array_lent_for_writing_is_written_in_place() {
    let (host, memory) = lending_four_for_writing();
    let turned = Handle {
        offset_bytes: 12,
        strides: vec![-2, -1],
        ..matrix()
    };
    host.call(
        1,
        "arrays.fill",
        &[turned],
        &Bytes::new().u32(0).u32(9).done(),
    );
    assert_eq!(host.result(1), 4u64.to_le_bytes());
    assert_eq!(
        memory.read::<16>(0),
        [9, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0]
    );
    host.shut_down();
}

#[test]
fn one_array_may_be_read_by_two_arguments() {
    let (host, memory) = (greeted(), Memory::of_f64(&[1.0, 2.0, 3.0, 4.0]));
    host.announce(1, &memory);
    let matrix = Handle {
        shape: vec![2, 2],
        strides: vec![2, 1],
        ..Handle::row(1, dtype::F64, 4)
    };
    host.call(
        1,
        "arrays.product",
        &[matrix],
        &Bytes::new().u32(0).u32(0).done(),
    );
    let Frame::Returned {
        handles, inline, ..
    } = host.receive()
    else {
        panic!("a product is expected")
    };
    assert_eq!((handles[0].origin, handles[0].terms), (2, Terms::Moved(0)));
    let product = Bytes::new().f64(7.0).f64(10.0).f64(15.0).f64(22.0).done();
    assert_eq!(inline, product);
    host.shut_down();
}

#[test]
fn an_option_is_a_byte_and_then_the_index() {
    let (host, _memory) = lending_three();
    let mask = Memory::of(&[1, 0, 1]);
    host.announce(2, &mask);
    let handles = [three(), Handle::row(2, dtype::BOOL, 3)];
    host.call(
        1,
        "arrays.masked_sum",
        &handles,
        &Bytes::new().u32(0).u8(1).u32(1).done(),
    );
    assert_eq!(host.result(1), 4i64.to_le_bytes());
    host.call(
        2,
        "arrays.masked_sum",
        &handles,
        &Bytes::new().u32(0).u8(0).done(),
    );
    assert_eq!(host.result(2), 6i64.to_le_bytes());
    host.shut_down();
}

#[test]
fn an_array_that_is_given_is_ended_once() {
    let (host, memory) = (greeted(), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(5));
    host.call(1, "arrays.take", &[given], &arrays(1));
    assert_eq!(host.receive(), Frame::Ended { transfer: 5 });
    assert_eq!(host.result(1), 3f64.to_le_bytes());
    host.shut_down();
}

#[test]
fn an_array_that_is_passed_on_comes_back() {
    let (host, memory) = (greeted(), Memory::of_f64(&[1.0, 2.0]));
    host.announce_writable(1, &memory);
    let given = Handle::row(1, dtype::F64, 2).on(Terms::Moved(5));
    host.call(
        1,
        "arrays.pass_on",
        std::slice::from_ref(&given),
        &arrays(1),
    );
    let returned = Handle {
        origin: 1,
        ..given.on(Terms::Returned(5))
    };
    let expected = Frame::Returned {
        call: 1,
        handles: vec![returned],
        inline: vec![],
        body: arrays(1),
    };
    assert_eq!(host.receive(), expected);
    assert_eq!((memory.f64(0), memory.f64(8)), (2.0, 4.0));
    host.shut_down();
}

#[test]
fn a_returned_array_can_be_lent_back_and_given_back() {
    let host = greeted();
    host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
    let (segment, memory) = host.receive_segment();
    assert!(memory.seals().contains(SEALS));
    let Frame::Returned {
        call: 1,
        handles,
        inline,
        body,
    } = host.receive()
    else {
        panic!("an array is expected");
    };
    assert_eq!((inline, body), (vec![], arrays(1)));
    let range = handles[0].clone();
    assert_eq!(
        (range.origin, range.segment, range.terms),
        (0, segment, Terms::Moved(1))
    );
    assert_eq!((range.dtype, &range.shape), (dtype::F64, &vec![4]));
    assert_eq!(memory.f64(range.offset_bytes + 24), 3.0);

    let lent = Handle {
        origin: 1,
        ..range.clone().on(Terms::Read)
    };
    host.call(2, "arrays.checksum", &[lent], &arrays(1));
    assert_eq!(host.result(2), 20f64.to_le_bytes());
    let given_back = Handle {
        origin: 1,
        ..range.on(Terms::Returned(1))
    };
    host.call(3, "arrays.take", &[given_back], &arrays(1));
    assert_eq!(host.result(3), 6f64.to_le_bytes());
    host.shut_down();
}

#[test]
fn a_long_frame_lies_in_a_segment_in_both_directions() {
    let host = greeted();
    let text = Bytes::new().run("x".repeat(100_000)).done();
    let call = frame::call(1, function("values", "echo"), &[], &text);
    let memory = Memory::of(&call);
    host.announce(1, &memory);
    let place = Handle::row(1, dtype::U8, call.len() as u64).on(Terms::Moved(8));
    host.send(&frame::oversize(&place));
    assert_eq!(host.receive(), Frame::Ended { transfer: 8 });

    let (segment, memory) = host.receive_segment();
    let Frame::Oversize { frame: place } = host.receive() else {
        panic!("a long frame is expected");
    };
    let len = place.shape[0];
    assert_eq!(
        (place.segment, place.origin, place.dtype),
        (segment, 0, dtype::U8)
    );
    let expected = frame::returned(1, &[], &text);
    assert_eq!(len, expected.len() as u64);
    let found = memory.read::<100_056>(place.offset_bytes);
    assert_eq!(found[..expected.len()], expected);
    let Terms::Moved(transfer) = place.terms else {
        panic!("a long frame is moved")
    };
    host.send(&frame::ended(transfer));
    host.shut_down();
}

#[test]
fn the_hash_in_the_welcome_is_that_of_the_description() {
    let host = greeted();
    let (_, hash) = host
        .modules
        .iter()
        .find(|(name, _)| name == "arrays")
        .unwrap()
        .clone();
    host.send(&frame::describe(1, "arrays"));
    let Frame::Description {
        call: 1,
        module: Some(module),
    } = host.receive()
    else {
        panic!("a description is expected");
    };
    assert_eq!(module.name, "arrays");
    let signatures: Vec<_> = module.functions.iter().map(|f| f.signature()).collect();
    assert!(
        signatures
            .iter()
            .any(|text| text == "sum(values: read ndarray<i64, 1>) -> i64")
    );
    let name = fnv1a(b"arrays", 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a(signatures.join("\n").as_bytes(), name), hash);
    host.shut_down();
}

#[test]
fn an_unknown_module_has_no_description() {
    let host = greeted();
    host.send(&frame::describe(1, "nothing"));
    assert_eq!(
        host.receive(),
        Frame::Description {
            call: 1,
            module: None
        }
    );
    host.assert_alive();
}

#[test]
fn a_cancelled_call_is_released_once_and_lets_go() {
    let (host, memory) = lending_four_for_writing();
    hang_holding_the_matrix(&host, &memory, 1);
    host.send(&frame::cancel(1));
    assert_eq!(
        host.receive(),
        Frame::Released {
            call: 1,
            has_begun: true
        }
    );
    host.call(
        2,
        "arrays.fill",
        &[matrix()],
        &Bytes::new().u32(0).u32(1).done(),
    );
    assert_eq!(host.result(2), 4u64.to_le_bytes());
    host.shut_down();
}

#[test]
fn cancelling_what_is_not_in_flight_changes_nothing() {
    let host = greeted();
    host.send(&frame::cancel(77));
    host.assert_alive();
}

#[test]
fn a_shutdown_waits_for_the_calls_in_flight_and_refuses_others() {
    let host = greeted();
    host.call(1, "control.run_until_cancelled", &[], &until_cancelled());
    host.send(&frame::shutdown());
    host.call(2, "values.nothing", &[], &[]);
    assert_eq!(host.failure(2), Failure::ShuttingDown);
    host.send(&frame::cancel(1));
    // It noticed, or had not begun yet: in either case, what it would return is no answer.
    assert!(matches!(host.receive(), Frame::Released { call: 1, .. }));
    assert_eq!(host.ended().code, Some(0));
}

#[test]
fn an_answer_is_not_lost_to_a_shutdown() {
    for _ in 0..50 {
        let host = greeted();
        let text = Bytes::new().run("last words").done();
        host.call(1, "values.echo", &[], &text);
        host.send(&frame::shutdown());
        assert_eq!(host.result(1), text);
        assert_eq!(host.ended().code, Some(0));
    }
}

#[test]
fn the_end_of_the_connection_ends_the_worker_in_the_middle_of_a_call() {
    let (host, memory) = lending_four_for_writing();
    hang_holding_the_matrix(&host, &memory, 1);
    let ended = host.closed();
    assert_eq!((ended.signal, ended.stderr.as_str()), (Some(9), ""));
}

#[test]
fn an_empty_message_is_taken_for_the_end() {
    let host = greeted();
    host.send(&[]);
    assert_eq!(host.ended().signal, Some(9));
}
