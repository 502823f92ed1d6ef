//! Violations: arrays that can't be what they claim.

use super::*;

/// Lends `handle` to a function and expects the worker to end, saying `what` about the array.
fn assert_handle_is_a_violation(handle: Handle, what: &str) {
    let (host, memory) = lending_three();
    host.announce_writable(2, &Memory::new(24));
    host.call(1, "arrays.sum", std::slice::from_ref(&handle), &arrays(1));
    host.assert_violation(&format!(
        "sent an array in segment {}, which {what}",
        handle.segment
    ));
    drop(memory);
}

#[test]
fn elements_outside_the_segment_are_a_violation() {
    let outside = |first: i64, end: i64| {
        format!(
            "can't hold it: elements from byte {first} to byte {end} are outside the 24 bytes that \
             there are"
        )
    };
    let at = |offset_bytes, n, stride| Handle {
        offset_bytes,
        shape: vec![n],
        strides: vec![stride],
        ..three()
    };
    assert_handle_is_a_violation(at(0, 4, 1), &outside(0, 32));
    assert_handle_is_a_violation(at(24, 1, 1), &outside(24, 32));
    assert_handle_is_a_violation(at(0, 2, 3), &outside(0, 32));
    assert_handle_is_a_violation(at(8, 3, -1), &outside(-8, 16));
    assert_handle_is_a_violation(at(32, 0, 1), &outside(32, 32));
    assert_handle_is_a_violation(at(0, 1 << 50, 1), &outside(0, 1 << 53));
    assert_handle_is_a_violation(
        Handle {
            offset_bytes: u64::MAX - 7,
            ..three()
        },
        "can't hold it: elements from byte 18446744073709551608",
    );
}

#[test]
fn numbers_that_overflow_are_a_violation() {
    for (shape, strides) in [
        (vec![1 << 61], vec![1]),
        (vec![u64::MAX], vec![1]),
        (vec![1 << 32, 1 << 32], vec![1, 1]),
        (vec![0, 1 << 62], vec![1, 1]),
        (vec![3], vec![i64::MAX]),
        (vec![3], vec![i64::MIN]),
    ] {
        let what = format!("can't hold it: shape {shape:?} with strides {strides:?} overflows");
        assert_handle_is_a_violation(
            Handle {
                shape,
                strides,
                ..three()
            },
            &what,
        );
    }
}

#[test]
fn elements_off_their_boundary_are_a_violation() {
    assert_handle_is_a_violation(
        Handle {
            offset_bytes: 4,
            shape: vec![2],
            ..three()
        },
        "can't hold it: byte 4 isn't a multiple of the 8 bytes that i64 needs",
    );
}

#[test]
fn a_rank_beyond_the_limit_and_missing_strides_are_violations() {
    let deep = Handle {
        shape: vec![1; 33],
        strides: vec![1; 33],
        ..three()
    };
    assert_handle_is_a_violation(deep, "can't hold it: 33 dimensions are more than 32");
    let short = Handle {
        strides: vec![],
        ..three()
    };
    assert_handle_is_a_violation(
        short,
        "can't hold it: a shape of 1 dimensions has 0 strides",
    );
}

#[test]
fn an_unknown_element_type_is_a_violation() {
    assert_handle_is_a_violation(
        Handle {
            dtype: 17,
            ..three()
        },
        "has no element type 17",
    );
    assert_handle_is_a_violation(
        Handle {
            dtype: 255,
            ..three()
        },
        "has no element type 255",
    );
}

#[test]
fn a_broadcast_array_for_writing_is_a_violation() {
    let rows = Handle {
        segment: 2,
        shape: vec![2, 3],
        strides: vec![0, 1],
        ..three().on(Terms::ReadWrite)
    };
    assert_handle_is_a_violation(
        rows,
        "can't hold it: a mutable array of shape [2, 3] and strides [0, 1] names an element twice",
    );
}

#[test]
fn a_segment_that_was_not_announced_is_a_violation() {
    let elsewhere = Handle {
        segment: 9,
        ..three()
    };
    assert_handle_is_a_violation(elsewhere.clone(), "was never announced");
    let of_the_worker = Handle {
        origin: 1,
        ..elsewhere
    };
    assert_handle_is_a_violation(of_the_worker, "was never announced by this side");
}

#[test]
fn what_was_announced_for_reading_can_not_be_lent_for_writing_or_given() {
    let what = "wasn't announced for writing";
    assert_handle_is_a_violation(three().on(Terms::ReadWrite), what);
    assert_handle_is_a_violation(three().on(Terms::Moved(1)), what);
}

#[test]
fn terms_that_do_not_fit_the_origin_are_a_violation() {
    let what = "is moved on terms that don't fit its origin";
    assert_handle_is_a_violation(three().on(Terms::Returned(1)), what);
    assert_handle_is_a_violation(
        Handle {
            origin: 1,
            ..three().on(Terms::Moved(1))
        },
        what,
    );
}

#[test]
fn arrays_of_the_worker_that_it_never_gave_are_a_violation() {
    let case = |terms: Terms, offset_bytes, what: &str| {
        let host = greeted();
        host.call(1, "arrays.range", &[], &4u64.to_le_bytes());
        let (_, memory) = host.receive_segment();
        let Frame::Returned { handles, .. } = host.receive() else {
            panic!("an array is expected");
        };
        let range = handles[0].clone();
        assert!(range.offset_bytes + offset_bytes + 32 <= memory.len_bytes());
        let offset_bytes = range.offset_bytes + offset_bytes;
        let handle = Handle {
            origin: 1,
            offset_bytes,
            ..range.on(terms)
        };
        host.call(2, "arrays.checksum", &[handle], &arrays(1));
        host.assert_violation(&format!("sent an array in segment 1, which {what}"));
    };
    case(Terms::Read, 4096, "lends what was never given");
    case(Terms::Returned(2), 0, "returns what was never given");
    case(
        Terms::Returned(1),
        4096,
        "returns something else than was given",
    );
}

#[test]
fn overlapping_arrays_are_a_violation_unless_both_are_read() {
    let at = |offset_bytes, terms| Handle {
        offset_bytes,
        ..Handle::row(1, dtype::U32, 2).on(terms)
    };
    for (one, other) in [
        (Terms::ReadWrite, Terms::ReadWrite),
        (Terms::ReadWrite, Terms::Read),
        (Terms::Read, Terms::ReadWrite),
        (Terms::Moved(1), Terms::Read),
        (Terms::Moved(1), Terms::Moved(2)),
    ] {
        let (host, _memory) = lending_four_for_writing();
        host.call(1, "arrays.swap", &[at(0, one), at(4, other)], &arrays(2));
        host.assert_violation("sent an array in segment 1 that overlaps another one in use");
    }
    let (host, _memory) = lending_four_for_writing();
    host.call(
        1,
        "arrays.swap",
        &[at(0, Terms::ReadWrite), at(8, Terms::ReadWrite)],
        &arrays(2),
    );
    assert_eq!(host.result(1), []);
    host.shut_down();
}

#[test]
fn interleaved_arrays_for_writing_are_a_violation() {
    let column = |offset_bytes| Handle {
        offset_bytes,
        strides: vec![2],
        ..Handle::row(1, dtype::U32, 2).on(Terms::ReadWrite)
    };
    let (host, _memory) = lending_four_for_writing();
    host.call(1, "arrays.swap", &[column(0), column(4)], &arrays(2));
    host.assert_violation("sent an array in segment 1 that overlaps another one in use");
}

#[test]
fn lending_what_another_call_writes_is_a_violation() {
    let (host, memory) = lending_four_for_writing();
    hang_holding_the_matrix(&host, &memory, 1);
    host.call(
        2,
        "arrays.sum",
        &[Handle::row(1, dtype::I64, 1)],
        &arrays(1),
    );
    host.assert_violation("sent an array in segment 1 that overlaps another one in use");
}

#[test]
fn a_bool_that_is_neither_0_nor_1_is_a_violation() {
    for terms in [Terms::Read, Terms::ReadWrite] {
        let (host, memory) = (greeted(), Memory::of(&[0, 1, 2]));
        host.announce_writable(1, &memory);
        host.call(
            1,
            "arrays.invert",
            &[Handle::row(1, dtype::BOOL, 3).on(terms)],
            &arrays(1),
        );
        host.assert_violation(
            "sent an array in segment 1, which has a bool that is neither 0 nor 1",
        );
    }
}

#[test]
fn more_arrays_than_negotiated_are_a_violation() {
    let hello = Hello {
        n_handles: 1,
        ..hello()
    };
    let (host, memory) = (greeted_with(&hello), Memory::of_i64(&[1, 2, 3]));
    host.announce(1, &memory);
    host.call(1, "arrays.sum", &[three()], &arrays(1));
    assert_eq!(host.result(1), 6i64.to_le_bytes());
    host.call(2, "arrays.sum", &[three(), three()], &arrays(1));
    host.assert_violation("sent 2 arrays at once, more than 1");
}
